import { useVirtualizer } from '@tanstack/react-virtual';
import { ArrowDown, MessageSquareDashed, MessagesSquare, Trash2, TriangleAlert } from 'lucide-react';
import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from 'react';
import { Link } from 'wouter';
import type { Message } from '@/shared/api/types';
import { errorText } from '@/shared/i18n/catalogue';
import { useI18n } from '@/shared/i18n/useI18n';
import { useDelayed } from '@/shared/lib/useDelayed';
import { Button } from '@/shared/ui/Button';
import { Notice } from '@/shared/ui/Notice';
import type { Thread as ThreadState } from './cache';
import { TimelineRow } from './TimelineRow';
import { AT_END_PX, useEndStays, useTarget, useUnseen } from './threadScroll';
import { type TimelineItem, timeline } from './timeline';
import { newSince } from './unread';
import { useInbox, useInboxState, usePending } from './useInbox';

const SKELETON_AFTER_MS = 200;
const READ_AHEAD_PX = 600;

/** The messages of one conversation. Give it a `key`, so that each conversation starts at its own end. */
export function Thread({ conversationId, contactName }: { conversationId: string; contactName: string }) {
  const { t } = useI18n();
  const inbox = useInbox();
  const thread = useInboxState(({ state }) => state.threads.get(conversationId));
  const reading = useInboxState(({ readings }) => readings.get(conversationId));
  if (thread?.loaded)
    return <Messages conversationId={conversationId} contactName={contactName} thread={thread} />;
  if (reading?.phase === 'failed') {
    const missing = reading.code === 'not_found';
    return (
      <Notice
        alert
        icon={<TriangleAlert className="size-6" />}
        title={missing ? t.thread.missing : t.thread.failed}
        {...(missing
          ? { action: <BackLink /> }
          : {
              text: errorText(t, reading.code),
              action: <Button onClick={() => inbox.readAgain(conversationId)}>{t.thread.retry}</Button>,
            })}
      />
    );
  }
  return <Skeleton />;
}

function Messages(props: { conversationId: string; contactName: string; thread: ThreadState }) {
  const { conversationId, thread } = props;
  const { t } = useI18n();
  const inbox = useInbox();
  const pending = usePending(conversationId);
  const since = useNewSince(conversationId);
  const items = useMemo(
    () =>
      timeline({
        messages: thread.shown,
        pending,
        memberId: inbox.member.id,
        fromBeginning: thread.before === null,
        newSince: since,
      }),
    [thread.shown, thread.before, pending, inbox, since],
  );
  const box = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: items.length,
    getScrollElement: () => box.current,
    estimateSize: () => 56,
    getItemKey: useCallback((index: number) => items[index]?.key ?? index, [items]),
    anchorTo: 'end',
    followOnAppend: true,
    scrollEndThreshold: AT_END_PX,
    paddingStart: 16,
    overscan: 8,
  });
  useLayoutEffect(() => virtual.scrollToEnd(), [virtual]);
  const end = useEndStays(box, virtual);
  const target = useTarget(conversationId, items, virtual, end);

  const { atEnd } = end;
  useEffect(() => (atEnd ? inbox.lookAtEnd(conversationId) : undefined), [atEnd, inbox, conversationId]);
  const unseen = useUnseen(thread.shown, atEnd, inbox.member.id);

  // One's own message is always shown, wherever one was reading.
  const lastPending = pending.at(-1)?.clientKey;
  useEffect(() => {
    if (!lastPending) return;
    end.pin(true);
    virtual.scrollToEnd();
  }, [lastPending, virtual, end.pin]);

  const readOlder = () => {
    const top = box.current?.scrollTop ?? 0;
    if (top < READ_AHEAD_PX && thread.before !== null) inbox.readOlderMessages(conversationId);
  };

  return (
    <div className="relative h-full min-h-0">
      {items.length === 0 && (
        <div className="absolute inset-0">
          <Notice
            icon={<MessageSquareDashed className="size-6" />}
            title={t.thread.empty}
            text={t.thread.emptyText(props.contactName)}
          />
        </div>
      )}
      <div
        ref={box}
        role="log"
        aria-live="off"
        aria-label={t.thread.label}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
        tabIndex={0}
        onScroll={readOlder}
        className="h-full overflow-y-auto overscroll-contain [overflow-anchor:none] focus-visible:-outline-offset-2"
      >
        <div className="relative mx-auto w-full max-w-4xl" style={{ height: virtual.getTotalSize() }}>
          {virtual.getVirtualItems().map(({ index, key, start }) => {
            const item = items[index];
            return (
              <div
                key={key}
                ref={virtual.measureElement}
                data-index={index}
                className="absolute inset-x-0 top-0"
                style={{ transform: `translateY(${start}px)` }}
              >
                {item && (
                  <TimelineRow
                    item={item}
                    repliedTo={repliedTo(thread, item)}
                    contactName={props.contactName}
                    found={target !== null && item.kind === 'entry' && item.message?.id === target}
                  />
                )}
              </div>
            );
          })}
        </div>
      </div>
      <OlderLine conversationId={conversationId} />
      {!atEnd && (
        <button
          type="button"
          onClick={() => {
            end.pin(true);
            virtual.scrollToEnd();
          }}
          className="absolute right-4 bottom-3 flex items-center gap-1.5 rounded-full border border-line bg-raised py-1.5 pr-3.5 pl-2.5 font-medium text-meta tabular-nums shadow-float hover:bg-surface"
        >
          <ArrowDown aria-hidden="true" className="size-4 text-accent" />
          {unseen > 0 ? t.thread.latestCount(unseen) : t.thread.latest}
        </button>
      )}
    </div>
  );
}

/** Where the member's mark stood when the thread was opened. */
export function useNewSince(conversationId: string): number | null | undefined {
  const now = useInboxState(({ state }) => newSince(state, conversationId));
  const [atOpening, setAtOpening] = useState(now);
  if (atOpening === undefined && now !== undefined) setAtOpening(now);
  return atOpening === undefined ? now : atOpening;
}

function repliedTo({ rows }: ThreadState, item: TimelineItem): Message | undefined {
  const id = item.kind === 'entry' ? item.message?.replyTo : undefined;
  return id === undefined ? undefined : rows.get(id);
}

/** Floats over the top, so that reading older pages moves nothing. */
function OlderLine({ conversationId }: { conversationId: string }) {
  const { t } = useI18n();
  const inbox = useInbox();
  const reading = useInboxState(({ readings }) => readings.get(conversationId));
  const slow = useDelayed(reading?.phase === 'readingOlder', SKELETON_AFTER_MS);
  const failed = reading?.phase === 'failed';
  if (!slow && !failed) return null;
  return (
    <p className="-translate-x-1/2 absolute top-2 left-1/2 rounded-full border border-line bg-raised px-3 py-1 text-ink-soft text-meta shadow-float">
      {failed ? <span className="text-broken">{t.thread.failed} </span> : t.thread.loadingOlder}
      {failed && (
        <Button look="text" onClick={() => inbox.readAgain(conversationId)}>
          {t.thread.retry}
        </Button>
      )}
    </p>
  );
}

function Skeleton() {
  const { t } = useI18n();
  const shown = useDelayed(true, SKELETON_AFTER_MS);
  if (!shown) return null;
  const bubbles: [side: string, width: string][] = [
    ['self-start', 'w-3/5'],
    ['self-end', 'w-2/5'],
    ['self-end', 'w-1/2'],
    ['self-start', 'w-1/3'],
  ];
  return (
    <div aria-busy="true" className="mx-auto flex h-full max-w-4xl flex-col justify-end gap-3 p-6">
      <p className="sr-only">{t.thread.loading}</p>
      {bubbles.map(([side, width]) => (
        <span key={width} className={`h-10 rounded-2xl bg-sunken ${side} ${width}`} />
      ))}
    </div>
  );
}

function BackLink() {
  const { t } = useI18n();
  return (
    <Link href="/conversas" className="font-medium text-accent text-meta underline underline-offset-2">
      {t.nav.back}
    </Link>
  );
}

/** In place of a thread that somebody deleted, perhaps while it was being read. */
export function DeletedThread() {
  const { t } = useI18n();
  return (
    <Notice
      alert
      icon={<Trash2 className="size-6" />}
      title={t.thread.gone}
      text={t.thread.goneText}
      action={<BackLink />}
    />
  );
}

/** The thread's place while no conversation is chosen. */
export function NoThread() {
  const { t } = useI18n();
  return (
    <Notice icon={<MessagesSquare className="size-6" />} title={t.thread.choose} text={t.thread.chooseText} />
  );
}
