/** From messages to what the thread shows: day dividers, groups, and at the end what is still on its way. Pure. */
import type { Message, MessageKind } from '@/shared/api/types';
import { sameDay } from '@/shared/lib/format';
import type { Pending } from './orders';

export type Entry = { message: Message; pending?: never } | { message?: never; pending: Pending };

export type TimelineItem =
  | { kind: 'beginning'; key: string }
  | { kind: 'day'; key: string; at: string }
  | { kind: 'new'; key: string }
  | ({ kind: 'entry'; key: string; startsGroup: boolean; endsGroup: boolean } & Entry);

export interface TimelineSource {
  messages: readonly Message[];
  pending: readonly Pending[];
  /** Whose pending messages these are. */
  memberId: string;
  /** No older page exists. A day is announced where it begins, so not before an older page has been read. */
  fromBeginning: boolean;
  /** The divider "novas" stands before the first message of others after this seq, if something read stands above it. */
  newSince?: number | null | undefined;
}

const GROUP_WITHIN_MS = 5 * 60 * 1000;

export function timeline(source: TimelineSource): TimelineItem[] {
  const { messages, pending, memberId, fromBeginning } = source;
  const firstNew = keyOfFirstNew(source);
  const confirmed = new Set(messages.map((message) => message.clientKey));
  const placed = [
    ...messages.map((message) => placeMessage(message)),
    ...pending
      .filter(({ clientKey }) => !confirmed.has(clientKey))
      .map((entry) => placePending(entry, memberId)),
  ];
  const items: TimelineItem[] = [];
  if (fromBeginning && placed.length > 0) items.push({ kind: 'beginning', key: 'beginning' });
  placed.forEach((here, index) => {
    const previous = placed[index - 1];
    const next = placed[index + 1];
    if (previous ? !sameDay(previous.at, here.at) : fromBeginning) {
      items.push({ kind: 'day', key: `day ${here.key}`, at: here.at.toISOString() });
    }
    const isNew = (placed?: Placed) => placed !== undefined && placed.key === firstNew;
    if (isNew(here) && previous) items.push({ kind: 'new', key: 'new' });
    const startsGroup = !previous || isNew(here) || !isSameGroup(previous, here);
    const endsGroup = !next || isNew(next) || !isSameGroup(here, next);
    items.push({ kind: 'entry', key: here.key, startsGroup, endsGroup, ...here.entry });
  });
  return items;
}

function keyOfFirstNew({ messages, memberId, newSince }: TimelineSource): string | undefined {
  if (newSince == null) return undefined;
  const first = messages.find(({ seq, author }) => seq > newSince && author.id !== memberId);
  return first && placeMessage(first).key;
}

interface Placed {
  entry: Entry;
  /** The clientKey where there is one: the bubble stays the same element when it is confirmed. */
  key: string;
  at: Date;
  author: string;
  kind: MessageKind;
}

const placeMessage = (message: Message): Placed => ({
  entry: { message },
  key: message.clientKey ?? message.id,
  at: new Date(message.createdAt),
  author: message.author.id,
  kind: message.kind,
});

const placePending = (pending: Pending, memberId: string): Placed => ({
  entry: { pending },
  key: pending.clientKey,
  at: new Date(pending.createdAt),
  author: memberId,
  kind: pending.kind,
});

function isSameGroup(a: Placed, b: Placed): boolean {
  if (a.author !== b.author || a.kind !== b.kind || !sameDay(a.at, b.at)) return false;
  return b.at.getTime() - a.at.getTime() <= GROUP_WITHIN_MS;
}
