/**
 * The law, replayed from cases that the real store has made (tests/fixtures/law/README.md): what a screen held before,
 * brought forward by packets or by the delta, in any order and with repeats, shows what a fresh read shows.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import type { ClinicPacket, ConversationListPacket, MessagePacket, ReadPacket } from '@/realtime/events';
import type { ClinicProfile, Conversation, Delta, Message, ReadMark } from '@/shared/api/types';
import type { Arrival } from './arrivals';
import { emptyInbox, type InboxState, ingest } from './cache';

interface Rows {
  clinic: ClinicProfile;
  conversations: Conversation[];
  messages: Message[];
  reads: ReadMark[];
}

interface Case {
  memberId: string;
  cursor: string;
  before: Rows;
  packets: { event: string; payload: never }[];
  delta: Delta;
  after: Rows;
}

const FOLDER = new URL('../../../../tests/fixtures/law/', import.meta.url);
const cases = readdirSync(FOLDER)
  .filter((file) => file.endsWith('.json'))
  .map((file): [string, Case] => [file, JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8'))]);

/** A screen that has read everything there was. */
function screenBefore({ memberId, cursor, before }: Case): InboxState {
  const life = 0;
  const seq = Number(cursor.slice(cursor.lastIndexOf(':') + 1));
  const items = [...before.conversations].sort((a, b) => b.lastSeq - a.lastSeq);
  const list = { items, reads: before.reads, before: null, seq };
  let state = ingest(emptyInbox(memberId), {
    kind: 'clinicAnswer',
    asked: { conversationIds: [] },
    answer: { cursor },
  });
  state = ingest(state, { kind: 'profile', clinic: before.clinic });
  state = ingest(state, { kind: 'conversationPage', page: list, before: null, life });
  for (const { id } of before.conversations) {
    const said = before.messages.filter((row) => row.conversationId === id).sort((a, b) => b.seq - a.seq);
    const page = { items: said, before: null, seq };
    state = ingest(state, { kind: 'messagePage', conversationId: id, page, before: null, life });
  }
  return state;
}

const KINDS: Record<string, (payload: never) => Arrival> = {
  'message:new': (packet: MessagePacket) => ({ kind: 'conversationPacket', packet }),
  'message:updated': (packet: MessagePacket) => ({ kind: 'conversationPacket', packet }),
  'conversation:list:updated': (packet: ConversationListPacket) => ({ kind: 'clinicPacket', packet }),
  'conversation:read': (packet: ReadPacket) => ({ kind: 'readPacket', packet }),
  'clinic:updated': (packet: ClinicPacket) => ({ kind: 'profilePacket', packet }),
  'clinic:tick': ({ seq }: { seq: number }) => ({ kind: 'tick', seq }),
};

/** Of the conversations that were held before and still are: what the screen shows of them. */
function shownOf(state: InboxState, { before }: Case) {
  const held = new Set(before.conversations.map((row) => row.id));
  return {
    clinic: state.clinic,
    conversations: Object.fromEntries(state.list.shown.map((row) => [row.id, row])),
    messages: state.list.shown.flatMap(({ id }) =>
      held.has(id) ? [...(state.threads.get(id)?.shown ?? [])] : [],
    ),
    reads: state.list.shown.flatMap(({ id }) => state.reads.get(id) ?? []),
  };
}

/** A generator of the same numbers for the same seed. */
function dice(seed: number) {
  let state = seed + 1;
  return (below: number) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % below;
  };
}

function inAnyOrder<T>(items: readonly T[], roll: (below: number) => number): T[] {
  const repeated = [...items, ...items.filter(() => roll(3) === 0)];
  return repeated
    .map((item) => ({ item, at: roll(1e6) }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);
}

function expected(each: Case) {
  return shownOf(screenBefore({ ...each, before: each.after }), each);
}

it.each(cases)('%s: packets in any order with repeats lead to the fresh snapshot', (_, each) => {
  for (let seed = 0; seed < 20; seed++) {
    let state = screenBefore(each);
    for (const { event, payload } of inAnyOrder(each.packets, dice(seed))) {
      state = ingest(state, (KINDS[event] as (payload: never) => Arrival)(payload));
    }
    expect(shownOf(state, each)).toEqual(expected(each));
  }
});

it.each(cases)('%s: the delta leads to the fresh snapshot, whatever was heard before', (_, each) => {
  const asked = { after: each.cursor, conversationIds: each.before.conversations.map((row) => row.id) };
  for (let seed = 0; seed < 20; seed++) {
    const heard = inAnyOrder(each.packets, dice(seed)).slice(0, seed);
    let state = screenBefore(each);
    for (const { event, payload } of heard) {
      state = ingest(state, (KINDS[event] as (payload: never) => Arrival)(payload));
    }
    state = ingest(state, { kind: 'clinicAnswer', asked, answer: each.delta });
    expect(shownOf(state, each)).toEqual(expected(each));
    expect(state.cursor?.seq).toBe(Number(each.delta.cursor.slice(each.delta.cursor.lastIndexOf(':') + 1)));
  }
});
