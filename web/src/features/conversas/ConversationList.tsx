import { useVirtualizer } from '@tanstack/react-virtual';
import { FilterX, MessagesSquare, TriangleAlert } from 'lucide-react';
import { memo, type RefObject, useEffect, useLayoutEffect, useMemo, useRef, useState } from 'react';
import type { Conversation } from '@/shared/api/types';
import { useI18n } from '@/shared/i18n/useI18n';
import { useDelayed } from '@/shared/lib/useDelayed';
import { useNow } from '@/shared/lib/useNow';
import { useShortcut } from '@/shared/lib/useShortcut';
import { Button } from '@/shared/ui/Button';
import { Notice } from '@/shared/ui/Notice';
import { ConversationRow, ROW_HEIGHT_PX } from './ConversationRow';
import { fits } from './filters';
import { overlaid } from './orders';
import { useClinic } from './useClinic';
import { useChanges, useInbox, useInboxState, useOrders } from './useInbox';

const SKELETON_AFTER_MS = 200;
const READ_AHEAD_ROWS = 10;

export function ConversationList({ selectedId }: { selectedId: string | undefined }) {
  const { t } = useI18n();
  const loaded = useInboxState(({ state }) => (state.filtered ?? state.list).loaded);
  const rows = useShownRows(selectedId);
  return (
    <nav aria-label={t.list.label} className="flex min-h-0 flex-1 flex-col">
      {!loaded ? (
        <BeforeFirstPage />
      ) : rows.length === 0 ? (
        <Empty />
      ) : (
        <Rows rows={rows} selectedId={selectedId} />
      )}
    </nav>
  );
}

/**
 * With what has been ordered and not confirmed. What no longer fits the filter leaves at once, except the conversation
 * that is open: reading an unread one does not pull it away from under the reader.
 */
function useShownRows(selectedId: string | undefined): readonly Conversation[] {
  const filtered = useInboxState(({ state }) => state.filtered);
  const shown = useInboxState(({ state }) => (state.filtered ?? state.list).shown);
  const kept = useInboxState(({ state }) =>
    state.filtered && selectedId ? state.conversations.get(selectedId) : undefined,
  );
  const changes = useChanges();
  const [stays, setStays] = useState<string>();
  const isShown = useMemo(
    () => selectedId !== undefined && shown.some(({ id }) => id === selectedId),
    [shown, selectedId],
  );
  if (isShown && stays !== selectedId) setStays(selectedId);
  return useMemo(() => {
    const withKept =
      kept && !isShown && stays === kept.id && !kept.deleted
        ? [...shown, kept].sort((a, b) => b.lastSeq - a.lastSeq)
        : shown;
    if (changes.size === 0) return withKept;
    return withKept
      .map((row) => overlaid(row, changes.get(row.id) ?? []))
      .filter((row) => {
        if (row.deleted) return false;
        if (!filtered || !changes.has(row.id) || row.id === selectedId) return true;
        return fits({ ...filtered.filter, unread: false }, row, true);
      });
  }, [shown, changes, filtered, kept, isShown, stays, selectedId]);
}

interface RowsProps {
  rows: readonly Conversation[];
  selectedId: string | undefined;
}

/** Rows of equal height in their natural order: one that comes to the top moves the others without touching them. */
const Rows = memo(function Rows({ rows, selectedId }: RowsProps) {
  const { t } = useI18n();
  const inbox = useInbox();
  const clinic = useClinic();
  const hasOlder = useInboxState(({ state }) => (state.filtered ?? state.list).before !== null);
  const reading = useInboxState(({ readings }) => readings.get(inbox.listKey));
  const unsent = useUnsent();
  const minute = useNow(60_000);
  const box = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW_HEIGHT_PX,
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

  const move = (by: number) => {
    const focused = document.activeElement?.closest<HTMLElement>('[data-conversation-id]');
    const from = rows.findIndex(({ id }) => id === (focused?.dataset.conversationId ?? selectedId));
    const to = Math.min(rows.length - 1, Math.max(0, from < 0 ? 0 : from + by));
    virtual.scrollToIndex(to, { align: 'auto' });
    requestAnimationFrame(() =>
      box.current?.querySelector<HTMLElement>(`[data-conversation-id="${rows[to]?.id}"]`)?.focus(),
    );
  };
  useShortcut(['j', 'k'], (key) => move(key === 'j' ? 1 : -1));
  useArrows(box, move);

  return (
    <div
      ref={box}
      className="contain-strict min-h-0 flex-1 overflow-y-auto overscroll-contain [overflow-anchor:none]"
    >
      <ul style={{ height: virtual.getTotalSize(), paddingTop: items[0]?.start }}>
        {items.map(({ index }) => {
          const conversation = rows[index];
          if (!conversation) return null;
          return (
            <li
              key={conversation.id}
              aria-setsize={hasOlder ? -1 : rows.length}
              aria-posinset={index + 1}
              className="contain-strict h-18 border-line border-b"
            >
              <ConversationRow
                conversation={conversation}
                member={inbox.member}
                clinic={clinic}
                selected={conversation.id === selectedId}
                unsent={unsent.has(conversation.id)}
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
          <Button look="text" onClick={() => inbox.readAgain(inbox.listKey)}>
            {t.list.retry}
          </Button>
        </p>
      )}
    </div>
  );
});

/** Within the list the arrows move as well; elsewhere they scroll. */
function useArrows(box: RefObject<HTMLElement | null>, move: (by: number) => void) {
  const latest = useRef(move);
  latest.current = move;
  useEffect(() => {
    const element = box.current;
    const listen = (event: KeyboardEvent) => {
      const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (by === undefined) return;
      event.preventDefault();
      latest.current(by);
    };
    element?.addEventListener('keydown', listen);
    return () => element?.removeEventListener('keydown', listen);
  }, [box]);
}

/** Conversations whose author must decide about a message that was refused. */
function useUnsent(): ReadonlySet<string> {
  const orders = useOrders();
  return useMemo(
    () =>
      new Set(orders.filter(({ state }) => state === 'failed').map(({ conversationId }) => conversationId)),
    [orders],
  );
}

function Empty() {
  const { t } = useI18n();
  const inbox = useInbox();
  const filtered = useInboxState(({ state }) => state.filtered !== null);
  if (filtered) {
    return (
      <Notice
        icon={<FilterX className="size-6" />}
        title={t.list.nothingFits}
        text={t.list.nothingFitsText}
        action={<Button onClick={() => inbox.filterBy()}>{t.filters.clear}</Button>}
      />
    );
  }
  return <Notice icon={<MessagesSquare className="size-6" />} title={t.list.empty} text={t.list.emptyText} />;
}

function BeforeFirstPage() {
  const { t } = useI18n();
  const inbox = useInbox();
  const reading = useInboxState(({ readings }) => readings.get(inbox.listKey));
  const skeleton = useDelayed(reading?.phase !== 'failed', SKELETON_AFTER_MS);
  if (reading?.phase === 'failed') {
    return (
      <Notice
        alert
        icon={<TriangleAlert className="size-6" />}
        title={t.list.failed}
        action={<Button onClick={() => inbox.readAgain(inbox.listKey)}>{t.list.retry}</Button>}
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
