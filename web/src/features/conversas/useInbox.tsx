import { createContext, useContext, useEffect, useMemo, useSyncExternalStore } from 'react';
import type { Conversation } from '@/shared/api/types';
import type { Inbox } from './inbox';
import { changesByConversation, isMessage, type Order, overlaid, type Pending } from './orders';
import type { InboxSnapshot } from './store';
import { unreadOf } from './unread';

export const InboxContext = createContext<Inbox | null>(null);

export function useInbox(): Inbox {
  const inbox = useContext(InboxContext);
  if (!inbox) throw new Error('an <InboxContext> must stand above');
  return inbox;
}

/** A part of the inbox. `select` must give back the same object for the same state. */
export function useInboxState<Part>(select: (snapshot: InboxSnapshot) => Part): Part {
  const inbox = useInbox();
  return useSyncExternalStore(inbox.subscribe, () => select(inbox.getSnapshot()));
}

export const useUnread = (conversation: Conversation): number =>
  useInboxState(({ state, seen }) => unreadOf(state, seen, conversation));

export function useOrders(): readonly Order[] {
  const { outbox } = useInbox();
  return useSyncExternalStore(outbox.subscribe, outbox.getSnapshot);
}

const UNCHANGED: readonly Order[] = [];

/** Orders that change rows, by conversation. */
export function useChanges(): ReadonlyMap<string, readonly Order[]> {
  const orders = useOrders();
  return useMemo(() => changesByConversation(orders), [orders]);
}

/** The conversation as it is shown: with what has been ordered and not confirmed. */
export function useConversation(id: string): Conversation | undefined {
  const held = useInboxState(({ state }) => state.conversations.get(id));
  const changes = useChanges().get(id) ?? UNCHANGED;
  return useMemo(() => held && overlaid(held, changes), [held, changes]);
}

/** Of one conversation: the messages on their way. */
export function usePending(conversationId: string): readonly Pending[] {
  const orders = useOrders();
  return useMemo(
    () => orders.filter(isMessage).filter((order) => order.conversationId === conversationId),
    [orders, conversationId],
  );
}

/** Keeps a thread read and live while mounted. */
export function useOpenThread(conversationId: string) {
  const inbox = useInbox();
  useEffect(() => inbox.openThread(conversationId), [inbox, conversationId]);
}
