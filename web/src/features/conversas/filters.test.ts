import { expect, it } from 'vitest';
import { filterKey, fits, isEverything } from './filters';
import { conversation } from './fixtures';

const row = conversation('a', 1, { status: 'pending', assigneeId: 'ana', labels: ['retorno', 'exame'] });
const nobodys = conversation('b', 1);

it.each([
  [{}, true, true],
  [{ status: 'pending' as const }, true, false],
  [{ assigneeId: 'ana' }, true, false],
  [{ assigneeId: 'bia' }, false, false],
  [{ assigneeId: 'none' }, false, true],
  [{ label: 'exame' }, true, false],
  [{ label: 'exa' }, false, false],
  [{ status: 'pending' as const, assigneeId: 'none' }, false, false],
])('%o fits the one %s and the other %s', (filter, one, other) => {
  expect([fits(filter, row, false), fits(filter, nobodys, false)]).toEqual([one, other]);
});

it('unread is what the reader has not read', () => {
  expect([fits({ unread: true }, row, true), fits({ unread: true }, row, false)]).toEqual([true, false]);
});

it('equal filters have equal keys', () => {
  expect(filterKey({ status: 'open', unread: false })).toBe(filterKey({ status: 'open' }));
  expect(filterKey({ label: 'a' })).not.toBe(filterKey({ assigneeId: 'a' }));
  expect(isEverything({ unread: false })).toBe(true);
});
