/** What this member has not read, and what there is to mark. Pure; docs/events.md, "Reading". */
import type { Conversation } from '@/shared/api/types';
import { completeTo, type InboxState, isListed, isMarked } from './cache';

/** By conversation: up to which of the patient's messages (their ordinal) they count as read here, while the mark is on its way. */
export type Seen = ReadonlyMap<string, number>;

export function unreadOf(state: InboxState, seen: Seen, conversation: Conversation): number {
  const { id, inboundCount } = conversation;
  if (!isMarked(state, id)) return 0; // not known yet: a wrong number would be worse than none
  const read = seen.get(id) ?? state.reads.get(id)?.inboundRead ?? 0;
  return Math.max(0, inboundCount - read);
}

/** Of the conversations the list has read so far. */
export const unreadConversations = (state: InboxState, seen: Seen): number =>
  state.list.shown.filter((conversation) => unreadOf(state, seen, conversation) > 0).length;

/** Rows of the list whose mark nobody has told, though there is something to read. */
export const unmarked = (state: InboxState): readonly string[] =>
  [...state.unmarked].filter((id) => {
    const row = state.conversations.get(id);
    return row !== undefined && row.inboundCount > 0 && isListed(state, row);
  });

/** All of the thread's newest messages are here: opened again after a while, it first asks for what came meanwhile. */
function isWhole(state: InboxState, conversationId: string): boolean {
  const thread = state.threads.get(conversationId);
  const lastSeq = state.conversations.get(conversationId)?.lastSeq ?? 0;
  return thread?.loaded === true && completeTo(state, thread) >= lastSeq;
}

/** Where the divider "novas" belongs when a thread opens: after this seq. `null`: nothing is new. `undefined`: too early to say. */
export function newSince(state: InboxState, conversationId: string): number | null | undefined {
  const thread = state.threads.get(conversationId);
  if (!thread || !isWhole(state, conversationId) || !isMarked(state, conversationId)) return undefined;
  const upTo = state.reads.get(conversationId)?.upTo ?? 0;
  return thread.shown.some(({ seq, author }) => seq > upTo && author.id !== state.memberId) ? upTo : null;
}

/** What stands at the end of a thread. */
export interface End {
  /** The newest message shown. */
  upTo: number;
  /** The patient's newest message shown: which of theirs it is. */
  ordinal: number;
  /** The mark is up to date: one's own messages need none. */
  marked: boolean;
}

/** Undefined while there is no end to speak of. */
export function endOf(state: InboxState, conversationId: string): End | undefined {
  const thread = state.threads.get(conversationId);
  const conversation = state.conversations.get(conversationId);
  const upTo = thread?.shown.at(-1)?.seq;
  if (!thread || upTo === undefined || !isWhole(state, conversationId)) return undefined;
  if (!state.list.loaded || conversation?.deleted) return undefined;
  const ofOthers = thread.shown.findLast(({ author }) => author.id !== state.memberId)?.seq ?? 0;
  const newest = thread.shown.findLast(({ direction }) => direction === 'inbound');
  const inboundCount = conversation?.inboundCount ?? 0;
  const mark = state.reads.get(conversationId);
  const read = mark?.upTo ?? 0;
  const unread = inboundCount > (mark?.inboundRead ?? 0);
  return {
    upTo,
    ordinal: newest?.ordinal ?? inboundCount,
    marked: upTo <= read || (ofOthers <= read && !unread),
  };
}
