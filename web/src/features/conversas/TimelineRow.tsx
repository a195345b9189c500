import { memo } from 'react';
import type { Message } from '@/shared/api/types';
import { useI18n } from '@/shared/i18n/useI18n';
import { dayName } from '@/shared/lib/format';
import { useNow } from '@/shared/lib/useNow';
import { Bubble } from './Bubble';
import { isChangeable, MessageActions } from './MessageActions';
import type { TimelineItem } from './timeline';
import { useInbox } from './useInbox';

interface RowProps {
  item: TimelineItem;
  repliedTo: Message | undefined;
  contactName: string;
  found: boolean;
}

/** Drawn again only if it has changed itself: the timeline is made anew for each message that comes. */
export const TimelineRow = memo(DrawnRow, (former, now) => {
  const { item, ...others } = former;
  return isSame(item, now.item) && isSame({ ...others, item: now.item }, now);
});

const isSame = <Shape extends object>(a: Shape, b: Shape) =>
  (Object.keys({ ...a, ...b }) as (keyof Shape)[]).every((name) => a[name] === b[name]);

function DrawnRow({ item, repliedTo, contactName, found }: RowProps) {
  const { t } = useI18n();
  const inbox = useInbox();
  const { outbox } = inbox;
  if (item.kind === 'beginning') {
    return <p className="px-4 pt-2 pb-3 text-center text-ink-soft text-meta">{t.thread.beginning}</p>;
  }
  if (item.kind === 'day') return <Day at={item.at} />;
  if (item.kind === 'new') return <NewDivider />;
  return (
    <Bubble
      entry={item}
      memberId={inbox.member.id}
      contactName={contactName}
      startsGroup={item.startsGroup}
      endsGroup={item.endsGroup}
      repliedTo={repliedTo}
      onRetry={(pending) => inbox.retry(pending.clientKey)}
      onDiscard={(pending) => outbox.discard(pending.clientKey)}
      found={found}
      actions={
        item.message &&
        isChangeable(item.message, inbox.member.id) && <MessageActions message={item.message} />
      }
      onRepeat={(message) => inbox.repeat(message)}
    />
  );
}

function Day({ at }: { at: string }) {
  const { t, locale } = useI18n();
  const now = useNow(60_000);
  return (
    <div className="flex items-center gap-3 px-4 pt-2 pb-4 text-ink-soft text-meta sm:px-6">
      <span className="h-px flex-1 bg-line" />
      <span className="first-letter:uppercase">{dayName(locale, new Date(at), new Date(now), t.thread)}</span>
      <span className="h-px flex-1 bg-line" />
    </div>
  );
}

function NewDivider() {
  const { t } = useI18n();
  return (
    <div className="flex items-center gap-3 px-4 pt-1 pb-3 font-medium text-accent text-meta sm:px-6">
      <span className="h-px flex-1 bg-accent/40" />
      <span className="first-letter:uppercase">{t.thread.newDivider}</span>
      <span className="h-px flex-1 bg-accent/40" />
    </div>
  );
}
