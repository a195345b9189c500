import { describe, expect, it } from 'vitest';
import type { Conversation, Message, ReadMark } from '@/shared/api/types';
import type { Arrival } from './arrivals';
import {
  chooseFilter,
  clinicQuestion,
  completeTo,
  emptyInbox,
  hasHole,
  type InboxState,
  ingest,
  noLongerLive,
} from './cache';
import { parseCursor } from './cursor';
import {
  ANA,
  conversation,
  listPacket,
  message,
  messagePacket,
  ownMessage,
  page,
  readMark,
  readPacket,
} from './fixtures';
import { unreadOf } from './unread';

const all = (arrivals: Arrival[], from = emptyInbox(ANA.id)) => arrivals.reduce(ingest, from);
const clinicAnswer = (cursor: string, more: object = {}, after?: string, conversationIds: string[] = []) =>
  ({
    kind: 'clinicAnswer',
    asked: { conversationIds, ...(after !== undefined && { after }) },
    answer: { cursor, ...more },
  }) satisfies Arrival;
const conversationAnswer = (id: string, cursor: string, more: object = {}, after?: string) =>
  ({
    kind: 'conversationAnswer',
    conversationId: id,
    answer: { cursor, ...more },
    ...(after !== undefined && { after }),
  }) satisfies Arrival;
const clinicPacket = (row: Conversation, seq?: number): Arrival => ({
  kind: 'clinicPacket',
  packet: listPacket(row, seq),
});
const conversationPacket = (row: Message): Arrival => ({
  kind: 'conversationPacket',
  packet: messagePacket(row),
});
const listPage = (
  items: Conversation[],
  seq: number,
  next: string | null = null,
  before: string | null = null,
  reads: ReadMark[] = [],
) =>
  ({
    kind: 'conversationPage',
    page: { ...page(items, seq, next), reads },
    before,
    life: 0,
  }) satisfies Arrival;
const threadPage = (
  id: string,
  items: Message[],
  seq: number,
  next: string | null = null,
  before: string | null = null,
) =>
  ({
    kind: 'messagePage',
    conversationId: id,
    page: page(items, seq, next),
    before,
    life: 0,
  }) satisfies Arrival;

const listIds = (state: InboxState) => state.list.shown.map((row) => row.id);
const threadSeqs = (state: InboxState, id: string) => state.threads.get(id)?.shown.map((row) => row.seq);

/** What a screen shows, without how it came to know it. */
const onScreen = (state: InboxState) => ({
  list: state.list.shown,
  reads: new Map([...state.reads].sort()),
  threads: [...state.threads].map(([id, thread]) => [id, thread.shown] as const),
});

/** Deterministic (mulberry32), so that a failure can be repeated by its seed. */
function randomFrom(seed: number) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const shuffled = <T>(items: readonly T[], random: () => number) =>
  items
    .map((item) => [random(), item] as const)
    .sort(([a], [b]) => a - b)
    .map(([, item]) => item);

/** A clinic that writes, changes and deletes at random: its rows at the end, and the packets on the way there. */
function randomHistory(random: () => number) {
  const conversations = new Map<string, Conversation>();
  const messages = new Map<string, Message>();
  const reads = new Map<string, ReadMark>();
  const packets: Arrival[] = [];
  for (let seq = 1; seq <= 40; seq++) {
    const id = `c${Math.floor(random() * 4)}`;
    if (random() < 0.2) {
      const memberId = random() < 0.6 ? ANA.id : 'bia';
      const mark = readMark(id, seq, {
        memberId,
        inboundRead: Math.floor(random() * 3),
        upTo: Math.floor(random() * seq),
      });
      if (memberId === ANA.id) reads.set(id, mark);
      packets.push({ kind: 'readPacket', packet: readPacket(mark) });
      continue;
    }
    const held = [...messages.values()].filter((row) => row.conversationId === id);
    const old = held[Math.floor(random() * held.length)];
    const row =
      old && random() < 0.4
        ? {
            ...old,
            version: seq,
            ...(random() < 0.3 ? { deleted: true, body: '' } : { status: 'read' as const }),
          }
        : message(id, seq);
    messages.set(row.id, row);
    const lastSeq = row.seq === seq ? seq : (conversations.get(id)?.lastSeq ?? seq);
    const listRow = conversation(id, seq, {
      lastSeq,
      inboundCount: Math.floor(random() * 3),
      status: random() < 0.5 ? 'open' : 'resolved',
      ...(random() < 0.1 && { deleted: true }),
    });
    conversations.set(id, listRow);
    packets.push(conversationPacket(row), clinicPacket(listRow));
  }
  return {
    conversations: [...conversations.values()],
    messages: [...messages.values()],
    reads: [...reads.values()],
    packets,
  };
}

describe('the law', () => {
  const seeds = Array.from({ length: 60 }, (_, index) => index + 1);

  it.each(seeds)('old pages + packets in any order, with repeats = fresh pages (seed %i)', (seed) => {
    const random = randomFrom(seed);
    const { conversations, messages, reads, packets } = randomHistory(random);
    const newestFirst = (a: Message, b: Message) => b.seq - a.seq;
    const fresh = (rows: Conversation[], of: Message[], marks: ReadMark[], seq: number): Arrival[] => [
      listPage(rows, seq, null, null, marks),
      ...['c0', 'c1', 'c2', 'c3'].map((id) =>
        threadPage(id, of.filter((row) => row.conversationId === id).sort(newestFirst), seq),
      ),
    ];
    const expected = onScreen(all(fresh(conversations, messages, reads, 40)));
    const repeated = [...packets, ...packets.filter(() => random() < 0.5)];
    const lived = all([...fresh([], [], [], 0), ...shuffled(repeated, random)]);
    expect(onScreen(lived)).toEqual(expected);
    const latePages = all([
      ...shuffled(repeated, random),
      ...shuffled(fresh(conversations, messages, reads, 40), random),
    ]);
    expect(onScreen(latePages).list).toEqual(expected.list);
    expect(onScreen(lived).reads).toEqual(new Map(reads.map((mark) => [mark.conversationId, mark])));
    expect(onScreen(latePages).reads).toEqual(expected.reads);
    expect(new Map(onScreen(latePages).threads)).toEqual(new Map(expected.threads));
  });

  it.each(seeds)('a filter shows what fits, whatever comes in between (seed %i)', (seed) => {
    const random = randomFrom(seed);
    const { packets } = randomHistory(random);
    const arrivals = shuffled([...packets, ...packets.filter(() => random() < 0.5)], random);
    const filter = random() < 0.5 ? { unread: true } : { status: 'resolved' as const };
    let state = all([{ ...listPage([], 0), filter }], chooseFilter(emptyInbox(ANA.id), filter));
    for (const arrival of arrivals) {
      state = ingest(state, arrival);
      const rows = [...state.conversations.values()].filter((row) => !row.deleted);
      const unread = (row: Conversation) => unreadOf(state, new Map(), row) > 0;
      const fitting = rows.filter((row) => (filter.unread ? unread(row) : row.status === 'resolved'));
      const newestFirst = fitting.sort((a, b) => b.lastSeq - a.lastSeq || (a.id < b.id ? -1 : 1));
      expect(state.filtered?.shown).toEqual(newestFirst);
    }
  });

  it('gives back the same state for what it already knows', () => {
    const arrivals = [
      listPage([conversation('a', 2)], 2),
      threadPage('a', [message('a', 2)], 2),
      clinicAnswer('e:2'),
      conversationPacket(message('a', 3)),
      clinicPacket(conversation('a', 3)),
    ];
    const once = all(arrivals);
    expect(all(arrivals.slice(3), once)).toBe(once);
  });
});

describe('rows', () => {
  it('older never overwrites newer, on any path', () => {
    const newer = all([listPage([conversation('a', 9, { status: 'resolved' })], 9)]);
    const told = all([clinicPacket(conversation('a', 8)), listPage([conversation('a', 7)], 7)], newer);
    expect(told.conversations.get('a')?.status).toBe('resolved');
  });

  it('a message’s tombstone keeps its place, a conversation’s leaves the list; late packets bring neither back', () => {
    const gone = { ...message('a', 2), version: 4, deleted: true, body: '' };
    const state = all([
      threadPage('a', [message('a', 2), message('a', 1)], 2),
      conversationPacket(gone),
      conversationPacket(message('a', 2)),
    ]);
    expect(state.threads.get('a')?.shown).toMatchObject([{ seq: 1 }, { seq: 2, deleted: true }]);
    const list = all([
      listPage([conversation('a', 1), conversation('b', 2)], 2),
      clinicPacket(conversation('a', 3, { deleted: true })),
      clinicPacket(conversation('a', 1)),
    ]);
    expect(listIds(list)).toEqual(['b']);
  });

  it('the list stands by the last message, newest first; a mere change moves nothing', () => {
    const state = all([
      listPage([conversation('b', 2), conversation('a', 1)], 2),
      clinicPacket(conversation('a', 3, { lastSeq: 1, status: 'pending' })),
    ]);
    expect(listIds(state)).toEqual(['b', 'a']);
    expect(listIds(ingest(state, clinicPacket(conversation('a', 4))))).toEqual(['a', 'b']);
  });
});

describe('windows', () => {
  it('a change of an old row that no page has reached is held, not shown out of place', () => {
    const state = all([
      threadPage('a', [message('a', 9), message('a', 8)], 9, '8'),
      conversationPacket({ ...message('a', 3), version: 10 }),
    ]);
    expect(threadSeqs(state, 'a')).toEqual([8, 9]);
    const older = ingest(state, threadPage('a', [message('a', 5), message('a', 3)], 9, null, '8'));
    expect(threadSeqs(older, 'a')).toEqual([3, 5, 8, 9]);
    expect(older.threads.get('a')?.rows.get('message 3')?.version).toBe(10);
  });

  it('a page that does not join on brings its rows, but does not move the window', () => {
    const state = all([
      threadPage('a', [message('a', 9)], 9, '9'),
      threadPage('a', [message('a', 5)], 9, '5', '9'),
    ]);
    const repeated = ingest(state, threadPage('a', [message('a', 5)], 9, '5', '9'));
    expect(repeated.threads.get('a')).toMatchObject({ before: '5', floor: 5 });
    const firstAgain = ingest(repeated, threadPage('a', [message('a', 11), message('a', 9)], 11, '9'));
    expect(firstAgain.threads.get('a')).toMatchObject({ before: '5', floor: 5 });
    expect(threadSeqs(firstAgain, 'a')).toEqual([5, 9, 11]);
  });

  it('the same holds for the list', () => {
    const state = all([
      listPage([conversation('c', 9), conversation('b', 8)], 9, '8'),
      clinicPacket(conversation('a', 10, { lastSeq: 2 })),
    ]);
    expect(listIds(state)).toEqual(['c', 'b']);
    expect(listIds(ingest(state, listPage([conversation('a', 10, { lastSeq: 2 })], 10, null, '8')))).toEqual([
      'c',
      'b',
      'a',
    ]);
  });

  it('a packet that comes before the first page is not lost', () => {
    const state = all([conversationPacket(message('a', 5)), threadPage('a', [message('a', 4)], 4)]);
    expect(threadSeqs(state, 'a')).toEqual([4, 5]);
  });
});

describe('the cursor', () => {
  const at5 = all([clinicAnswer('node:7:5')]);

  it('its seq stands after the last colon', () => {
    expect(parseCursor('system:3:1:42')).toEqual({ epoch: 'system:3:1', seq: 42 });
    expect(() => parseCursor('42')).toThrow();
    expect(() => parseCursor('e:')).not.toThrow();
    expect(() => parseCursor('e:x')).toThrow();
  });

  it('advances by one with the next packet, and stays where it is for an old one', () => {
    const next = ingest(at5, clinicPacket(conversation('a', 6)));
    expect(next.cursor).toEqual({ epoch: 'node:7', seq: 6 });
    expect(ingest(next, clinicPacket(conversation('a', 4))).cursor?.seq).toBe(6);
    expect(hasHole(next)).toBe(false);
  });

  it('a packet further ahead is a hole: applied, the cursor stays until the delta has come', () => {
    const ahead = ingest(at5, clinicPacket(conversation('a', 8)));
    expect(ahead.conversations.has('a')).toBe(true);
    expect(ahead.cursor?.seq).toBe(5);
    expect(hasHole(ahead)).toBe(true);
    const filled = ingest(
      ahead,
      clinicAnswer('node:7:8', { conversations: [conversation('b', 7)] }, 'node:7:5'),
    );
    expect(filled.cursor?.seq).toBe(8);
    expect(hasHole(filled)).toBe(false);
  });

  it.each([ANA.id, 'bia'])('a read packet (of %s) moves it like any other of the clinic', (memberId) => {
    const next = ingest(at5, { kind: 'readPacket', packet: readPacket(readMark('a', 6, { memberId })) });
    expect(next.cursor?.seq).toBe(6);
    expect(hasHole(next)).toBe(false);
    const ahead = ingest(next, { kind: 'readPacket', packet: readPacket(readMark('a', 9, { memberId })) });
    expect(ahead.cursor?.seq).toBe(6);
    expect(hasHole(ahead)).toBe(true);
  });

  it('conversation packets, pages and conversation answers do not move it', () => {
    const told = all(
      [
        conversationPacket(message('a', 6)),
        threadPage('a', [message('a', 6)], 6),
        listPage([conversation('a', 6)], 6),
        conversationAnswer('a', 'node:7:6'),
      ],
      at5,
    );
    expect(told.cursor?.seq).toBe(5);
  });

  it('with `more` it stands at the last complete version', () => {
    const part = ingest(
      at5,
      clinicAnswer('node:7:6', { more: true, conversations: [conversation('a', 6)] }, 'node:7:5'),
    );
    expect(part.cursor?.seq).toBe(6);
  });

  it('never goes back, and never jumps by an answer about a later stretch', () => {
    expect(ingest(at5, clinicAnswer('node:7:4', {}, 'node:7:3')).cursor?.seq).toBe(5);
    expect(ingest(at5, clinicAnswer('node:7:9', {}, 'node:7:7')).cursor?.seq).toBe(5);
    expect(ingest(at5, clinicAnswer('node:7:9')).cursor?.seq).toBe(5);
  });

  it.each([
    ['reset', clinicAnswer('node:7:3', { reset: true }, 'node:7:5')],
    ['another epoch', clinicAnswer('node:8:3', {}, 'node:7:5')],
  ])('%s drops everything and starts at the new cursor', (_, answer) => {
    const full = all([listPage([conversation('a', 5)], 5), threadPage('a', [message('a', 5)], 5)], at5);
    const fresh = ingest(full, answer);
    expect(fresh).toMatchObject({ life: 1, cursor: { seq: 3 } });
    expect(fresh.list.loaded).toBe(false);
    expect(fresh.threads.size).toBe(0);
    // an answer to a question of the former life
    expect(ingest(fresh, listPage([conversation('a', 5)], 5))).toBe(fresh);
  });

  it('another epoch in a conversation answer drops the cursor too', () => {
    expect(ingest(at5, conversationAnswer('a', 'node:8:9')).cursor).toBeNull();
  });
});

describe('complete threads', () => {
  const opened = all([
    clinicAnswer('e:5'),
    conversationAnswer('a', 'e:5'),
    threadPage('a', [message('a', 5)], 5),
  ]);
  const completeOf = (state: InboxState, id = 'a') => {
    const thread = state.threads.get(id);
    return thread && completeTo(state, thread);
  };

  it('a live thread is complete as far as the clinic is', () => {
    const later = all([conversationPacket(message('a', 6)), clinicPacket(conversation('a', 6))], opened);
    expect(completeOf(later)).toBe(6);
  });

  it('what is no longer live stays complete only up to then', () => {
    const left = noLongerLive(ingest(opened, clinicPacket(conversation('b', 6))));
    expect(completeOf(left)).toBe(6);
    const later = all([clinicPacket(conversation('a', 7))], left);
    expect(later.cursor?.seq).toBe(7);
    expect(completeOf(later)).toBe(6);
    const back = ingest(later, conversationAnswer('a', 'e:7', { messages: [message('a', 7)] }, 'e:6'));
    expect(threadSeqs(back, 'a')).toEqual([5, 7]);
    expect(completeOf(back)).toBe(7);
    expect(back.threads.get('a')?.liveSince).toBe(7);
  });

  it('a page read before the room was joined does not pass for live', () => {
    const state = all([
      clinicAnswer('e:9'),
      conversationAnswer('a', 'e:9'),
      threadPage('a', [message('a', 4)], 5),
    ]);
    expect(state.threads.get('a')?.liveSince).toBeNull();
    expect(completeOf(state)).toBe(5);
  });

  it('with `more` a thread is not live yet', () => {
    const left = noLongerLive(opened);
    const part = ingest(
      left,
      conversationAnswer('a', 'e:6', { more: true, messages: [message('a', 6)] }, 'e:5'),
    );
    expect(part.threads.get('a')).toMatchObject({ liveSince: null, complete: 6 });
  });

  it('the clinic is asked for the threads that its answer can keep complete', () => {
    const left = noLongerLive(opened);
    expect(clinicQuestion(left, 50)).toEqual({ after: 'e:5', conversationIds: ['a'] });
    const behind = all([clinicPacket(conversation('b', 6))], left);
    expect(clinicQuestion(behind, 50)).toEqual({ after: 'e:6', conversationIds: [] });
    // open and behind: asked from where it is complete
    expect(clinicQuestion(behind, 50, ['a'])).toEqual({ after: 'e:5', conversationIds: ['a'] });
    const caught = ingest(behind, clinicAnswer('e:8', { messages: [message('a', 7)] }, 'e:5', ['a']));
    expect(completeOf(caught)).toBe(8);
    expect(caught.cursor?.seq).toBe(8);
    expect(clinicQuestion(emptyInbox(ANA.id), 50)).toEqual({ conversationIds: [] });
  });

  it('an answer asked from further on does not make a thread complete', () => {
    const behind = all([clinicPacket(conversation('b', 6))], noLongerLive(opened));
    const answered = ingest(behind, clinicAnswer('e:8', { messages: [message('a', 7)] }, 'e:6', ['a']));
    expect(completeOf(answered)).toBe(5);
  });
});

it('an acknowledged message takes its place before its packet comes, and keeps it', () => {
  const sent = ownMessage('a', 6, 'key');
  const state = all([threadPage('a', [message('a', 5)], 5), { kind: 'message', message: sent }]);
  expect(threadSeqs(state, 'a')).toEqual([5, 6]);
  expect(ingest(state, conversationPacket(sent))).toBe(state);
});

describe('read marks', () => {
  it('come with answers too; the higher version wins, others’ are not kept', () => {
    const state = all([
      clinicAnswer('e:9', { reads: [readMark('a', 7), readMark('b', 8, { memberId: 'bia' })] }),
      { kind: 'read', read: readMark('a', 9, { upTo: 3 }) },
      conversationAnswer('a', 'e:9', { reads: [readMark('a', 5)] }),
    ]);
    expect([...state.reads.values()]).toEqual([readMark('a', 9, { upTo: 3 })]);
    expect(ingest(state, { kind: 'read', read: readMark('a', 8) })).toBe(state);
  });

  it('a server that tells none breaks nothing', () => {
    const told = { ...listPage([conversation('a', 5)], 5).page, reads: [] };
    const state = all([{ kind: 'conversationPage', page: told, before: null, life: 0 }, clinicAnswer('e:5')]);
    expect(state.reads.size).toBe(0);
    expect(listIds(state)).toEqual(['a']);
  });

  it('go with everything else when another history begins', () => {
    const state = ingest(
      all([clinicAnswer('e:5'), { kind: 'read', read: readMark('a', 5) }]),
      clinicAnswer('f:2', { reset: true }, 'e:5'),
    );
    expect(state.reads.size).toBe(0);
    expect(state.unmarked.size).toBe(0);
  });
});
