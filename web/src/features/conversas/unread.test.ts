import { expect, it } from 'vitest';
import type { Arrival } from './arrivals';
import { emptyInbox, ingest } from './cache';
import { ANA, conversation, listPacket, message, ownMessage, page, readMark } from './fixtures';
import { endOf, newSince, unmarked, unreadConversations, unreadOf } from './unread';

const NONE = new Map<string, number>();
const row = (id: string, inboundCount: number, version = 9) => conversation(id, version, { inboundCount });
const list = (rows = [row('a', 5)], reads = [readMark('a', 4, { inboundRead: 2 })]): Arrival => ({
  kind: 'conversationPage',
  page: { ...page(rows, 9), reads },
  before: null,
  life: 0,
});
const thread = (...messages: ReturnType<typeof message>[]): Arrival => ({
  kind: 'messagePage',
  conversationId: 'a',
  page: page([...messages].reverse(), 9),
  before: null,
  life: 0,
});
const all = (...arrivals: Arrival[]) => arrivals.reduce(ingest, emptyInbox(ANA.id));

it.each([
  ['what came after the mark', 5, 2, 3],
  ['nothing when all is read', 5, 5, 0],
  ['never less than nothing', 1, 4, 0],
])('unread is %s', (_, inboundCount, inboundRead, unread) => {
  const state = all(list([row('a', inboundCount)], [readMark('a', 4, { inboundRead })]));
  expect(unreadOf(state, NONE, row('a', inboundCount))).toBe(unread);
  expect(unreadConversations(state, NONE)).toBe(unread > 0 ? 1 : 0);
});

it('without a mark all is unread, once a page has said that there is none', () => {
  expect(unreadOf(all(list([row('a', 5)], [])), NONE, row('a', 5))).toBe(5);
  expect(unreadOf(all(), NONE, row('a', 5))).toBe(0);
});

it('what has been shown counts as read while the mark is on its way', () => {
  expect(unreadOf(all(list()), new Map([['a', 5]]), row('a', 5))).toBe(0);
  expect(unreadOf(all(list()), new Map([['a', 5]]), row('a', 6))).toBe(1);
});

it('an old conversation that a packet brings up has an unknown mark; a new one has none', () => {
  const packet = listPacket(row('old', 12, 10));
  const state = all(list(), { kind: 'clinicPacket', packet });
  expect(unmarked(state)).toEqual(['old']);
  const fresh = all(list(), { kind: 'clinicPacket', packet: { ...packet, eventType: 'new' } });
  expect(unmarked(fresh)).toEqual([]);
  expect(unreadOf(fresh, NONE, row('old', 12))).toBe(12);
});

it('the mark is due at the newest message, with the patient’s ordinal', () => {
  const state = all(list(), thread(message('a', 8, { ordinal: 5 }), ownMessage('a', 9, 'k')));
  expect(endOf(state, 'a')).toEqual({ upTo: 9, ordinal: 5, marked: false });
});

it.each([
  [
    'the mark is up to date',
    [list(undefined, [readMark('a', 9, { upTo: 8, inboundRead: 5 })]), thread(message('a', 8))],
  ],
  [
    'only own messages came since',
    [
      list(undefined, [readMark('a', 9, { upTo: 8, inboundRead: 5 })]),
      thread(message('a', 8), ownMessage('a', 9, 'k')),
    ],
  ],
  ['the thread is empty', [list(), thread()]],
  ['newer messages are still being asked for', [list([row('a', 6, 10)]), thread(message('a', 8))]],
  ['the list has not been read', [thread(message('a', 8))]],
  ['the thread has not been read', [list()]],
  ['the conversation is deleted', [list([{ ...row('a', 5), deleted: true }]), thread(message('a', 8))]],
] as [string, Arrival[]][])('nothing is due when %s', (_, arrivals) => {
  expect(endOf(all(...arrivals), 'a')?.marked ?? true).toBe(true);
});

it('a thread opens with what came after the mark as new', () => {
  const state = all(list(), thread(message('a', 4), message('a', 5)));
  expect(newSince(state, 'a')).toBe(4);
  expect(newSince(all(list(), thread(message('a', 4), ownMessage('a', 5, 'k'))), 'a')).toBeNull();
  expect(newSince(all(thread(message('a', 4))), 'a')).toBeUndefined();
  // opened again, and what came meanwhile is still being asked for
  const behind = all(list([row('a', 6, 10)]), thread(message('a', 4)));
  expect(newSince(behind, 'a')).toBeUndefined();
});
