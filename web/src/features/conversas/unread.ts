/** What this member has not read, and what there is to mark. Pure; docs/events.md, "Reading". */
import type { Conversation } from '@/shared/api/types';
import type { InboxState } from './cache';

/** By conversation: up to which of the patient's messages (their ordinal) the screen has shown them, while the mark is on its way. */
export type Seen = ReadonlyMap<string, number>;

export function unreadOf(state: InboxState, seen: Seen, conversation: Conversation): number {
  const { id, inboundCount } = conversation;
  if (!state.marked.has(id)) return 0; // not known yet: a wrong number would be worse than none
  const read = Math.max(state.reads.get(id)?.inboundRead ?? 0, seen.get(id) ?? 0);
  return Math.max(0, inboundCount - read);
}

/** Of the conversations the list has read so far. */
export const unreadConversations = (state: InboxState, seen: Seen): number =>
  state.list.shown.filter((conversation) => unreadOf(state, seen, conversation) > 0).length;

/** Rows that came without a page, so that nobody has told their mark. */
export const unmarked = (state: InboxState): readonly string[] =>
  state.list.shown
    .filter(({ id, inboundCount }) => inboundCount > 0 && !state.marked.has(id))
    .map(({ id }) => id);

/** Where the divider "novas" belongs when a thread opens: after this seq. `null`: nothing is new. `undefined`: too early to say. */
export function newSince(state: InboxState, conversationId: string): number | null | undefined {
  const thread = state.threads.get(conversationId);
  if (!thread?.loaded || !state.marked.has(conversationId)) return undefined;
  const upTo = state.reads.get(conversationId)?.upTo ?? 0;
  return thread.shown.some(({ seq, author }) => seq > upTo && author.id !== state.memberId) ? upTo : null;
}

export interface Due {
  /** The newest message shown. */
  upTo: number;
  /** The patient's newest message shown: which of theirs it is. */
  ordinal: number;
}

/** What to mark of a thread whose end is being looked at; undefined when the mark is up to date. One's own messages need none. */
export function markDue(state: InboxState, conversationId: string): Due | undefined {
  const thread = state.threads.get(conversationId);
  const conversation = state.conversations.get(conversationId);
  if (!thread?.loaded || !state.list.loaded || conversation?.deleted) return undefined;
  const upTo = thread.shown.at(-1)?.seq ?? 0;
  const ofOthers = thread.shown.findLast(({ author }) => author.id !== state.memberId)?.seq ?? 0;
  const mark = state.reads.get(conversationId);
  const marked = mark?.upTo ?? 0;
  const unread = (conversation?.inboundCount ?? 0) > (mark?.inboundRead ?? 0);
  if (upTo <= marked || (ofOthers <= marked && !unread)) return undefined;
  const newest = thread.shown.findLast(({ direction }) => direction === 'inbound');
  return { upTo, ordinal: newest?.ordinal ?? conversation?.inboundCount ?? 0 };
}
