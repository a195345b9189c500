/** What a member has ordered and the server has not confirmed yet, and how it shows on the rows it is about. Pure. */
import type { Conversation, ConversationChange, MessageKind } from '@/shared/api/types';

/** sending: under way or queued · waiting: nobody answers, tried again by itself · failed: refused, the author decides. */
export type OrderState = 'sending' | 'waiting' | 'failed';

interface Common {
  readonly clientKey: string;
  readonly conversationId: string;
  readonly createdAt: string;
  readonly state: OrderState;
  /** Why it failed or waits: the code of the last refusal. */
  readonly reason?: string;
}

/** A reply or a note; it stays, failed, until its author says what shall become of it. */
export interface Pending extends Common {
  readonly type: 'message';
  readonly kind: MessageKind;
  readonly body: string;
  readonly replyTo?: string;
  /** seq of the newest message the author had seen: a patient who wrote after it is read first. */
  readonly expectedSeq?: number;
}

/** Changes of what exists: refused, they are taken back on the screen, and the author is told why. */
export type Change =
  | (Common & { readonly type: 'update'; readonly change: ConversationChange })
  | (Common & { readonly type: 'rename'; readonly name: string })
  | (Common & { readonly type: 'edit'; readonly messageId: string; readonly body: string })
  | (Common & { readonly type: 'takeBack'; readonly messageId: string })
  | (Common & { readonly type: 'erase' });

export type Order = Pending | Change;

type WithoutCommon<O> = O extends Order ? Omit<O, 'clientKey' | 'createdAt' | 'state' | 'reason'> : never;

/** An order as it is given; the outbox adds what it needs to carry it. */
export type NewOrder = WithoutCommon<Order>;

export const isMessage = (order: Order): order is Pending => order.type === 'message';

/** The conversation as it will be when the orders about it are carried out. The same object if there are none. */
export function overlaid(conversation: Conversation, orders: readonly Order[]): Conversation {
  let shown = conversation;
  for (const order of orders) {
    if (order.conversationId !== conversation.id || order.state === 'failed') continue;
    if (order.type === 'update') shown = changed(shown, order.change);
    if (order.type === 'rename') shown = { ...shown, contact: { ...shown.contact, name: order.name } };
    if (order.type === 'erase') shown = { ...shown, deleted: true };
  }
  return shown;
}

function changed(conversation: Conversation, change: ConversationChange): Conversation {
  const { assigneeId, status, snoozedUntil, labels } = change;
  const { assigneeId: formerAssignee, snoozedUntil: formerEnd, ...rest } = conversation;
  const assignee = assigneeId === undefined ? formerAssignee : (assigneeId ?? undefined);
  const end = status === undefined ? formerEnd : snoozedUntil;
  return {
    ...rest,
    ...(status !== undefined && { status }),
    ...(labels !== undefined && { labels }),
    ...(assignee !== undefined && { assigneeId: assignee }),
    ...(end !== undefined && { snoozedUntil: end }),
  };
}

/** Orders that change rows, by conversation: usually none or a few, so that a list need not look at them row by row. */
export function changesByConversation(orders: readonly Order[]): ReadonlyMap<string, readonly Order[]> {
  const changes = new Map<string, Order[]>();
  for (const order of orders) {
    if (isMessage(order)) continue;
    const others = changes.get(order.conversationId);
    if (others) others.push(order);
    else changes.set(order.conversationId, [order]);
  }
  return changes;
}
