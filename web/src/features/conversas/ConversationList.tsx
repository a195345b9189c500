import { useVirtualizer } from '@tanstack/react-virtual';
import { MessagesSquare, TriangleAlert } from 'lucide-react';
import { useEffect, useLayoutEffect, useRef } from 'react';
import { useI18n } from '@/shared/i18n/useI18n';
import { useDelayed } from '@/shared/lib/useDelayed';
import { useNow } from '@/shared/lib/useNow';
import { Button } from '@/shared/ui/Button';
import { Notice } from '@/shared/ui/Notice';
import { ConversationRow, ROW_HEIGHT_PX } from './ConversationRow';
import { LIST } from './store';
import { useInbox, useInboxState } from './useInbox';

const SKELETON_AFTER_MS = 200;
const READ_AHEAD_ROWS = 10;

export function ConversationList({ selectedId }: { selectedId: string | undefined }) {
  const { t } = useI18n();
  const loaded = useInboxState((inbox) => inbox.state.list.loaded);
  const empty = useInboxState((inbox) => inbox.state.list.shown.length === 0);
  return (
    <nav aria-label={t.list.label} className="flex min-h-0 flex-1 flex-col">
      {!loaded ? <BeforeFirstPage /> : empty ? <Empty /> : <Rows selectedId={selectedId} />}
    </nav>
  );
}

function Rows({ selectedId }: { selectedId: string | undefined }) {
  const { t } = useI18n();
  const inbox = useInbox();
  const rows = useInboxState(({ state }) => state.list.shown);
  const hasOlder = useInboxState(({ state }) => state.list.before !== null);
  const reading = useInboxState(({ readings }) => readings.get(LIST));
  const minute = useNow(60_000);
  const box = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW_HEIGHT_PX,
    getItemKey: (index) => rows[index]?.id ?? index,
    initialOffset: inbox.listOffset,
    overscan: 6,
  });

  // Back from a thread on a phone: the list stands where it was left.
  useLayoutEffect(() => {
    const element = box.current;
    return () => {
      if (element) inbox.listOffset = element.scrollTop;
    };
  }, [inbox]);

  const items = virtual.getVirtualItems();
  const nearEnd = (items.at(-1)?.index ?? 0) >= rows.length - READ_AHEAD_ROWS;
  useEffect(() => {
    if (nearEnd && hasOlder && !reading) inbox.readOlderConversations();
  }, [nearEnd, hasOlder, reading, inbox]);

  return (
    <div ref={box} className="min-h-0 flex-1 overflow-y-auto overscroll-contain">
      <ul className="relative" style={{ height: virtual.getTotalSize() }}>
        {items.map(({ index, key, start }) => {
          const conversation = rows[index];
          if (!conversation) return null;
          return (
            <li
              key={key}
              aria-setsize={hasOlder ? -1 : rows.length}
              aria-posinset={index + 1}
              className="absolute inset-x-0 top-0 border-line border-b"
              style={{ height: ROW_HEIGHT_PX, transform: `translateY(${start}px)` }}
            >
              <ConversationRow
                conversation={conversation}
                member={inbox.member}
                selected={conversation.id === selectedId}
                minute={minute}
              />
            </li>
          );
        })}
      </ul>
      {reading?.phase === 'readingOlder' && (
        <p className="p-4 text-center text-ink-soft text-meta">{t.list.loadingOlder}</p>
      )}
      {reading?.phase === 'failed' && (
        <p className="p-4 text-center text-broken text-meta">
          {t.list.failed}{' '}
          <Button look="text" onClick={() => inbox.readAgain(LIST)}>
            {t.list.retry}
          </Button>
        </p>
      )}
    </div>
  );
}

function Empty() {
  const { t } = useI18n();
  return <Notice icon={<MessagesSquare className="size-6" />} title={t.list.empty} text={t.list.emptyText} />;
}

function BeforeFirstPage() {
  const { t } = useI18n();
  const inbox = useInbox();
  const reading = useInboxState(({ readings }) => readings.get(LIST));
  const skeleton = useDelayed(reading?.phase !== 'failed', SKELETON_AFTER_MS);
  if (reading?.phase === 'failed') {
    return (
      <Notice
        alert
        icon={<TriangleAlert className="size-6" />}
        title={t.list.failed}
        action={<Button onClick={() => inbox.readAgain(LIST)}>{t.list.retry}</Button>}
      />
    );
  }
  if (!skeleton) return null;
  return (
    <div aria-busy="true">
      <p className="sr-only">{t.list.loading}</p>
      {Array.from({ length: 8 }, (_, index) => (
        <div
          // biome-ignore lint/suspicious/noArrayIndexKey: eight equal rows without identity
          key={index}
          className="flex items-center gap-3 border-line border-b px-3.5"
          style={{ height: ROW_HEIGHT_PX }}
        >
          <span className="size-10 rounded-full bg-sunken" />
          <span className="flex-1 space-y-2">
            <span className="block h-3 w-2/5 rounded bg-sunken" />
            <span className="block h-3 w-4/5 rounded bg-sunken" />
          </span>
        </div>
      ))}
    </div>
  );
}
