/**
 * What this browser knows of one clinic, and the only way to tell it more: `ingest`. Pure, no React, no clock.
 *
 * Law: old state + anything that arrived, in any order and with repeats = what a fresh read would show.
 * Rules (web/README.md explains them): a row's higher version wins; tombstones are remembered; only clinic-room
 * packets and clinic answers move the cursor, and only without a gap.
 */
import type { ConversationListPacket } from '@/realtime/events';
import type { ClinicProfile, Conversation, Message, ReadMark } from '@/shared/api/types';
import { type Arrival, type Asked, changedBy, type MaybeDelta } from './arrivals';
import { type Cursor, formatCursor, parseCursor } from './cursor';
import { EVERYTHING, type Filter, filterKey, fits, isEverything } from './filters';
import { PersistentMap } from './persistentMap';
import {
  CLOSED,
  isShown,
  mergeBy,
  mergeRows,
  type Order,
  type Rows,
  reshown,
  shown,
  type Window,
  widen,
} from './rows';

export interface Thread extends Window {
  readonly rows: Rows<Message>;
  readonly shown: readonly Message[];
  /** The seq up to which nothing of this thread is missing (see `completeTo`). */
  readonly complete: number;
  /** The seq at which the room was joined, while every later message comes by itself; null when it does not. */
  readonly liveSince: number | null;
}

export interface ConversationList extends Window {
  readonly shown: readonly Conversation[];
}

/** The same rows through a window of their own: the server reads the pages, the cache knows what fits. */
export interface FilteredList extends ConversationList {
  readonly filter: Filter;
}

export interface InboxState {
  /** Whose screen this is: of all read marks only theirs are kept. */
  readonly memberId: string;
  /** Counts the times everything was dropped; an answer to a question of an earlier life is no longer one. */
  readonly life: number;
  /** Up to here nothing of the clinic is missing; null before the first answer. */
  readonly cursor: Cursor | null;
  /** The highest seq seen in the clinic's room. Above the cursor's it means: something is missing in between. */
  readonly head: number;
  /** Members, labels, canned replies, settings; null until they have been read. */
  readonly clinic: ClinicProfile | null;
  readonly conversations: Rows<Conversation>;
  readonly list: ConversationList;
  /** The filter that was chosen, if one was. */
  readonly filtered: FilteredList | null;
  readonly threads: ReadonlyMap<string, Thread>;
  /** The member's own read marks, by conversation. */
  readonly reads: PersistentMap<ReadMark>;
  /** Conversations that no page has brought, so that nobody has told their mark; of any other, none in `reads` means none. */
  readonly unmarked: ReadonlySet<string>;
}

export function emptyInbox(memberId: string, life = 0): InboxState {
  return {
    memberId,
    life,
    cursor: null,
    head: 0,
    clinic: null,
    conversations: new PersistentMap(),
    list: { ...CLOSED, shown: [] },
    filtered: null,
    threads: new Map(),
    reads: new PersistentMap(),
    unmarked: new Set(),
  };
}

const BY_NEWEST: Order<Conversation> = {
  placeOf: (row) => row.lastSeq,
  direction: 'descending',
  tombstones: 'hidden',
};
const BY_PLACE: Order<Message> = { placeOf: (row) => row.seq, direction: 'ascending', tombstones: 'shown' };
/** More changed rows than this are sorted with all the others. */
const FEW = 20;

const UNREAD_THREAD: Thread = {
  ...CLOSED,
  rows: new PersistentMap(),
  shown: [],
  complete: 0,
  liveSince: null,
};

export function ingest(state: InboxState, arrival: Arrival): InboxState {
  return refiltered(state, taken(state, arrival), changedBy(arrival));
}

/** Shows the list through a filter; its pages are to be read. */
export function chooseFilter(state: InboxState, filter: Filter): InboxState {
  if (isEverything(filter)) return state.filtered ? { ...state, filtered: null } : state;
  if (state.filtered && filterKey(state.filtered.filter) === filterKey(filter)) return state;
  return { ...state, filtered: { ...CLOSED, filter, shown: [] } };
}

function taken(state: InboxState, arrival: Arrival): InboxState {
  switch (arrival.kind) {
    case 'conversationPage':
      return arrival.life === state.life ? conversationPage(state, arrival) : state;
    case 'messagePage':
      return arrival.life === state.life ? messagePage(state, arrival) : state;
    case 'clinicPacket':
      return clinicPacket(state, arrival.packet);
    case 'readPacket':
      return movedBy(withReads(state, [arrival.packet.read]), arrival.packet.seq);
    case 'profilePacket':
      return movedBy(withProfile(state, arrival.packet.clinic), arrival.packet.seq);
    case 'tick':
      return movedBy(state, arrival.seq);
    case 'profile':
      return withProfile(state, arrival.clinic);
    case 'read':
      return withReads(state, [arrival.read]);
    case 'conversationPacket':
      return withMessages(state, [arrival.packet.message]);
    case 'message':
      return withMessages(state, [arrival.message]);
    case 'conversation':
      return withConversations(state, [arrival.conversation]);
    case 'clinicAnswer':
      return clinicAnswer(state, arrival.asked, arrival.answer);
    case 'conversationAnswer':
      return conversationAnswer(state, arrival);
  }
}

/** The newest that this screen has seen, as a cursor: what it reads from now on must not be older. */
export const seenBy = ({ cursor, head }: InboxState): string | null =>
  cursor && formatCursor({ ...cursor, seq: Math.max(cursor.seq, head) });

/** True when packets went missing: the clinic must be asked for what came after the cursor. */
export const hasHole = (state: InboxState) => state.cursor !== null && state.head > state.cursor.seq;

/** The seq up to which nothing of the thread is missing: a live thread is as complete as the clinic is. */
export function completeTo(state: InboxState, thread: Thread): number {
  if (thread.liveSince === null) return thread.complete;
  return Math.max(thread.complete, state.cursor?.seq ?? 0);
}

/**
 * What to ask the clinic with: from the cursor (from further back, if an open thread misses more), and the threads
 * that the answer can keep complete.
 */
export function clinicQuestion(state: InboxState, max: number, open: readonly string[] = []): Asked {
  const { cursor, threads } = state;
  if (!cursor) return { conversationIds: [] };
  const opened = open.flatMap((id) => threads.get(id) ?? []).filter((thread) => thread.loaded);
  const seq = Math.min(cursor.seq, ...opened.map((thread) => completeTo(state, thread)));
  const kept = [...threads].filter(([, thread]) => thread.loaded && completeTo(state, thread) >= seq);
  const openFirst = kept
    .map(([id]) => id)
    .sort((a, b) => Number(open.includes(b)) - Number(open.includes(a)));
  return { after: formatCursor({ ...cursor, seq }), conversationIds: openFirst.slice(0, max) };
}

/** Messages of these threads (of all, without a list) no longer come by themselves: left, or the connection ended. */
export function noLongerLive(state: InboxState, conversationIds = [...state.threads.keys()]): InboxState {
  let next = state;
  for (const id of conversationIds) {
    const thread = state.threads.get(id);
    if (thread?.liveSince == null) continue;
    next = withThread(next, id, { ...thread, complete: completeTo(state, thread), liveSince: null });
  }
  return next;
}

/** Conversations to which a patient has written since, as a packet or a delta tells; a first read is no news. */
export function newsIn(former: InboxState, arrival: Arrival): readonly Conversation[] {
  const told =
    arrival.kind === 'clinicPacket'
      ? [arrival.packet.conversation]
      : arrival.kind === 'clinicAnswer' && !arrival.answer.reset
        ? (arrival.answer.conversations ?? [])
        : [];
  return told.filter(({ id, lastMessage, lastSeq, deleted }) => {
    if (deleted || lastMessage?.direction !== 'inbound' || !former.cursor || lastSeq <= former.cursor.seq)
      return false;
    return former.conversations.get(id)?.lastMessage?.id !== lastMessage.id;
  });
}

function conversationPage(
  state: InboxState,
  { page, before, filter = EVERYTHING }: Arrival & { kind: 'conversationPage' },
): InboxState {
  const place = (row: Conversation) => row.lastSeq;
  const { filtered } = state;
  let next: InboxState;
  if (isEverything(filter)) {
    next = withConversations(state, page.items, widen(state.list, page, before, place));
  } else {
    next = withConversations(state, page.items);
    if (filtered && filterKey(filtered.filter) === filterKey(filter))
      next = { ...next, filtered: { ...filtered, ...widen(windowOf(filtered), page, before, place) } };
  }
  return withMarked(
    withReads(next, page.reads ?? []),
    page.items.map(({ id }) => id),
  );
}

const windowOf = ({ loaded, before, floor }: Window): Window => ({ loaded, before, floor });

/** What fits is judged anew whenever something has changed that it may depend on: of the rows that may have, if they are few. */
function refiltered(
  former: InboxState,
  state: InboxState,
  changed: readonly string[] | undefined,
): InboxState {
  const { filtered, conversations, reads, unmarked } = state;
  if (!filtered) return state;
  const sameWindow = filtered === former.filtered;
  const same = conversations === former.conversations && sameWindow;
  if (same && (!filtered.filter.unread || (reads === former.reads && unmarked === former.unmarked)))
    return state;
  const rows =
    changed && sameWindow
      ? reshown(
          { ...filteredView(former, filtered), shown: filtered.shown },
          filteredView(state, filtered),
          changed,
          BY_NEWEST,
        )
      : shown(conversations, filtered, BY_NEWEST).filter(filteredView(state, filtered).shows);
  return { ...state, filtered: { ...filtered, shown: rows } };
}

const filteredView = (state: InboxState, filtered: FilteredList) => ({
  rows: state.conversations,
  shows: (row: Conversation) =>
    isShown(row, filtered, BY_NEWEST) && fits(filtered.filter, row, isUnread(state, row)),
});

/** Its mark, or that there is none, has been told. */
export const isMarked = ({ conversations, reads, unmarked }: InboxState, id: string): boolean =>
  !unmarked.has(id) && (conversations.has(id) || reads.has(id));

/** The list shows it, whatever is chosen to be seen of the list. */
export const isListed = ({ list }: InboxState, row: Conversation): boolean => isShown(row, list, BY_NEWEST);

/** As the server knows it; a mark that nobody has told yet is none. */
function isUnread(state: InboxState, { id, inboundCount }: Conversation): boolean {
  return isMarked(state, id) && inboundCount > (state.reads.get(id)?.inboundRead ?? 0);
}

function messagePage(state: InboxState, arrival: Arrival & { kind: 'messagePage' }): InboxState {
  const { conversationId, page, before } = arrival;
  const thread = state.threads.get(conversationId) ?? UNREAD_THREAD;
  const window = widen(thread, page, before, (row) => row.seq);
  const next = withMessages(state, page.items, conversationId, window);
  const opened = next.threads.get(conversationId);
  if (thread.loaded || !opened?.loaded) return next;
  // The first page is a snapshot: complete up to its seq. If the room was joined after that, what lies between is missing.
  const live = thread.liveSince !== null && page.seq >= thread.liveSince;
  const liveSince = live ? thread.liveSince : null;
  return withThread(next, conversationId, { ...opened, complete: page.seq, liveSince });
}

function clinicPacket(state: InboxState, packet: ConversationListPacket): InboxState {
  const next = withConversations(state, [packet.conversation]);
  return movedBy(packet.eventType === 'new' ? withMarked(next, [packet.conversationId]) : next, packet.seq);
}

/** A clinic-room packet has come: the cursor follows if nothing is missing before it. */
function movedBy(state: InboxState, seq: number): InboxState {
  const { cursor } = state;
  const head = Math.max(state.head, seq);
  const follows = cursor !== null && seq === cursor.seq + 1;
  if (!follows) return head === state.head ? state : { ...state, head };
  return { ...state, head, cursor: { ...cursor, seq } };
}

function clinicAnswer(state: InboxState, asked: Asked, answer: MaybeDelta): InboxState {
  const cursor = parseCursor(answer.cursor);
  if (answer.reset || isOtherEpoch(state, cursor)) {
    return { ...afresh(state), cursor, head: cursor.seq };
  }
  let next = withDelta(state, answer);
  if (asked.after === undefined) {
    if (next.cursor) return next; // the answer to a cold question says nothing about what lies in between
  } else {
    const from = parseCursor(asked.after).seq;
    for (const id of asked.conversationIds) {
      const thread = next.threads.get(id);
      if (!thread?.loaded || completeTo(next, thread) < from) continue;
      next = withThread(next, id, { ...thread, complete: Math.max(thread.complete, cursor.seq) });
    }
    if (next.cursor && next.cursor.seq < from) return next; // an answer about a stretch we have not reached
  }
  const seq = Math.max(next.cursor?.seq ?? 0, cursor.seq);
  return { ...next, cursor: { epoch: cursor.epoch, seq } };
}

function conversationAnswer(
  state: InboxState,
  arrival: Arrival & { kind: 'conversationAnswer' },
): InboxState {
  const { conversationId, after, answer } = arrival;
  const cursor = parseCursor(answer.cursor);
  if (answer.reset || isOtherEpoch(state, cursor)) return afresh(state);
  const next = withDelta(state, answer);
  const thread = next.threads.get(conversationId) ?? UNREAD_THREAD;
  const joinsOn = after !== undefined && parseCursor(after).seq <= completeTo(next, thread);
  const complete = joinsOn ? Math.max(thread.complete, cursor.seq) : thread.complete;
  const live = !answer.more && (!thread.loaded || complete >= cursor.seq);
  return withThread(next, conversationId, { ...thread, complete, liveSince: live ? cursor.seq : null });
}

/** Nothing of before is held any more; the filter is the reader's choice, and stays. */
function afresh({ memberId, life, filtered }: InboxState): InboxState {
  return chooseFilter(emptyInbox(memberId, life + 1), filtered?.filter ?? EVERYTHING);
}

const isOtherEpoch = (state: InboxState, cursor: Cursor) =>
  state.cursor !== null && state.cursor.epoch !== cursor.epoch;

function withDelta(state: InboxState, answer: MaybeDelta): InboxState {
  const next = withMessages(withConversations(state, answer.conversations ?? []), answer.messages ?? []);
  return withProfile(withReads(next, answer.reads ?? []), answer.clinic);
}

function withProfile(state: InboxState, clinic: ClinicProfile | undefined): InboxState {
  const newer = clinic !== undefined && clinic.version > (state.clinic?.version ?? -1);
  return newer ? { ...state, clinic } : state;
}

function withReads(state: InboxState, incoming: readonly ReadMark[]): InboxState {
  const own = incoming.filter(({ memberId }) => memberId === state.memberId);
  const reads = mergeBy((mark) => mark.conversationId, state.reads, own);
  if (reads === state.reads) return state;
  return withMarked(
    { ...state, reads },
    own.map(({ conversationId }) => conversationId),
  );
}

function withMarked(state: InboxState, ids: readonly string[]): InboxState {
  if (!ids.some((id) => state.unmarked.has(id))) return state;
  const unmarked = new Set(state.unmarked);
  for (const id of ids) unmarked.delete(id);
  return { ...state, unmarked };
}

/** Rows that are not held yet; a page then tells their marks (`withMarked`). */
function withUnmarked(state: InboxState, incoming: readonly Conversation[]): ReadonlySet<string> {
  const { conversations, reads, unmarked } = state;
  const unknown = incoming.filter(({ id }) => !conversations.has(id) && !reads.has(id));
  return unknown.length === 0 ? unmarked : new Set([...unmarked, ...unknown.map(({ id }) => id)]);
}

function withConversations(
  state: InboxState,
  incoming: readonly Conversation[],
  window: Window = state.list,
): InboxState {
  const conversations = mergeRows(state.conversations, incoming);
  if (conversations === state.conversations && window === state.list) return state;
  const shows = (row: Conversation) => isShown(row, window, BY_NEWEST);
  const few = incoming.length <= FEW && window === state.list;
  const rows = few
    ? reshown(
        { rows: state.conversations, shown: state.list.shown, shows },
        { rows: conversations, shows },
        incoming.map(({ id }) => id),
        BY_NEWEST,
      )
    : shown(conversations, window, BY_NEWEST);
  const list = { ...window, shown: rows };
  return { ...state, conversations, list, unmarked: withUnmarked(state, incoming) };
}

/** Messages go to their threads. One that no thread is held for opens an unread thread, so that nothing is lost to a page in flight. */
function withMessages(
  state: InboxState,
  incoming: readonly Message[],
  pageOf?: string,
  window?: Window,
): InboxState {
  let next = state;
  const byThread = new Map<string, Message[]>(pageOf === undefined ? [] : [[pageOf, []]]);
  for (const message of incoming) {
    const others = byThread.get(message.conversationId);
    if (others) others.push(message);
    else byThread.set(message.conversationId, [message]);
  }
  for (const [id, messages] of byThread) {
    const thread = next.threads.get(id) ?? UNREAD_THREAD;
    const opened = (id === pageOf ? window : undefined) ?? thread;
    const rows = mergeRows(thread.rows, messages);
    if (rows === thread.rows && opened === thread) continue;
    const { loaded, before, floor } = opened;
    const visible = shown(rows, opened, BY_PLACE);
    next = withThread(next, id, { ...thread, loaded, before, floor, rows, shown: visible });
  }
  return next;
}

function withThread(state: InboxState, id: string, thread: Thread): InboxState {
  return { ...state, threads: new Map(state.threads).set(id, thread) };
}
