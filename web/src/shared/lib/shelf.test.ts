// @vitest-environment jsdom
import { afterEach, expect, it, vi } from 'vitest';
import { countKept, Shelf, wipe } from './shelf';

const read = (stored: unknown) => (typeof stored === 'string' ? stored : undefined);
const shelf = (memberId: string, kind = 'draft', clinicId = 1) =>
  new Shelf<string>(memberId, kind, clinicId, read);
afterEach(() => localStorage.clear());

it('keeps entries over a reload, each member’s, kind’s and clinic’s apart', () => {
  shelf('ana').put('a', 'um');
  shelf('ana').put('b', 'dois');
  expect(shelf('ana').get('a')).toBe('um');
  expect(shelf('ana').all().sort()).toEqual(['dois', 'um']);
  expect(shelf('bia').all()).toEqual([]);
  expect(shelf('ana', 'outbox').all()).toEqual([]);
  expect(shelf('ana', 'draft', 11).all()).toEqual([]);
});

it('counts what is kept, of one clinic or of all', () => {
  shelf('ana', 'outbox', 1).put('a', 'um');
  shelf('ana', 'outbox', 11).put('b', 'dois');
  expect(countKept('ana', 'outbox')).toBe(2);
  expect(countKept('ana', 'outbox', 1)).toBe(1);
});

it('a member who leaves takes everything along, and nobody else’s', () => {
  for (const member of ['ana', 'ana.b', 'bia']) shelf(member).put('a', member);
  localStorage.setItem('recado.locale', 'en');
  wipe('ana');
  expect(shelf('ana').all()).toEqual([]);
  expect(shelf('ana.b').all()).toEqual(['ana.b']);
  expect(shelf('bia').all()).toEqual(['bia']);
  expect(localStorage.getItem('recado.locale')).toBe('en');
});

it('what has been wiped is not written again by who still held it', () => {
  const held = shelf('ana');
  held.put('a', 'um');
  wipe('ana');
  held.replace('a', 'dois');
  expect(localStorage).toHaveLength(0);
});

it('drops what it cannot read', () => {
  shelf('ana').put('a', 'um');
  const key = Object.keys(localStorage)[0] as string;
  for (const stored of ['{"of": "another version"}', '{"cut']) {
    localStorage.setItem(key, stored);
    expect(shelf('ana').all()).toEqual([]);
    expect(localStorage).toHaveLength(0);
  }
});

it('of two tabs that write the same entry both have what was written last', () => {
  const [one, other] = [shelf('ana'), shelf('ana')];
  one.put('a', 'um');
  other.put('a', 'dois');
  expect(one.get('a')).toBe('dois');
  other.remove('a');
  expect(one.get('a')).toBeUndefined();
  expect(one.all()).toEqual([]);
});

it('hears when another tab removes an entry', () => {
  const removed: string[] = [];
  const forget = shelf('ana').onRemoved((key) => removed.push(key));
  shelf('ana').put('a', 'um');
  const key = Object.keys(localStorage)[0] as string;
  for (const newValue of ['"dois"', null])
    window.dispatchEvent(new StorageEvent('storage', { key, newValue }));
  window.dispatchEvent(new StorageEvent('storage', { key: 'recado.locale', newValue: null }));
  expect(removed).toEqual(['a']);
  forget();
  window.dispatchEvent(new StorageEvent('storage', { key, newValue: null }));
  expect(removed).toEqual(['a']);
});

it('without storage it holds things while the page lives', () => {
  vi.spyOn(Storage.prototype, 'setItem').mockImplementation(() => {
    throw new DOMException('full', 'QuotaExceededError');
  });
  const own = shelf('ana');
  own.put('a', 'um');
  expect(own.get('a')).toBe('um');
  expect(own.all()).toEqual(['um']);
  own.remove('a');
  expect(own.get('a')).toBeUndefined();
});
