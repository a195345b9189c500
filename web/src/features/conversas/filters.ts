/** Which conversations a list shows: all that fit everything that is given. Pure; the server's twin is store/lists.py. */
import type { Conversation, ConversationStatus } from '@/shared/api/types';

export interface Filter {
  readonly status?: ConversationStatus;
  /** A member's id, or `none` for those that are nobody's. */
  readonly assigneeId?: string;
  readonly label?: string;
  readonly unread?: boolean;
}

export const EVERYTHING: Filter = {};

/** Equal for equal filters. */
export const filterKey = ({ status, assigneeId, label, unread }: Filter): string =>
  JSON.stringify([status ?? null, assigneeId ?? null, label ?? null, unread === true]);

export const isEverything = (filter: Filter) => filterKey(filter) === filterKey(EVERYTHING);

export function fits(filter: Filter, conversation: Conversation, unread: boolean): boolean {
  const { status, assigneeId, label } = filter;
  if (status !== undefined && conversation.status !== status) return false;
  if (assigneeId === 'none' && conversation.assigneeId !== undefined) return false;
  if (assigneeId !== undefined && assigneeId !== 'none' && conversation.assigneeId !== assigneeId)
    return false;
  if (label !== undefined && !conversation.labels.includes(label)) return false;
  return !filter.unread || unread;
}
