import { useVirtualizer, type Virtualizer } from '@tanstack/react-virtual';
import { ArrowDown, MessageSquareDashed, MessagesSquare, Trash2, TriangleAlert } from 'lucide-react';
import {
  memo,
  type RefObject,
  useCallback,
  useEffect,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
} from 'react';
import { Link, useSearch } from 'wouter';
import type { Message } from '@/shared/api/types';
import { errorText } from '@/shared/i18n/catalogue';
import { useI18n } from '@/shared/i18n/useI18n';
import { dayName } from '@/shared/lib/format';
import { useDelayed } from '@/shared/lib/useDelayed';
import { useNow } from '@/shared/lib/useNow';
import { Button } from '@/shared/ui/Button';
import { Notice } from '@/shared/ui/Notice';
import { useToasts } from '@/shared/ui/useToasts';
import { Bubble } from './Bubble';
import type { Thread as ThreadState } from './cache';
import { isChangeable, MessageActions } from './MessageActions';
import { type TimelineItem, timeline } from './timeline';
import { newSince } from './unread';
import { useInbox, useInboxState, usePending } from './useInbox';

const SKELETON_AFTER_MS = 200;
const AT_END_PX = 80;
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
                  <Item
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

/**
 * Who stands at the end stays there, whatever changes its size: a growing composer, a line of words, a phone's keyboard, a
 * narrower window that breaks every line anew. Who reads further up keeps their line at the bottom. Only a way up that is
 * longer than what the content lost is the reader's own.
 */
function useEndStays(box: RefObject<HTMLElement | null>, virtual: Virtualizer<HTMLDivElement, Element>) {
  const pinned = useRef(true);
  const [atEnd, setAtEnd] = useState(true);
  const pin = useCallback((now: boolean) => {
    pinned.current = now;
    setAtEnd(now);
  }, []);
  useEffect(() => {
    const element = box.current;
    const content = element?.firstElementChild;
    if (!element || !content) return;
    let height = element.clientHeight;
    let last = { inner: element.scrollHeight, top: element.scrollTop };
    const onScroll = () => {
      const { scrollHeight: inner, clientHeight: outer, scrollTop: top } = element;
      const wentUp = last.top - top > Math.max(0, last.inner - inner) + 1;
      last = { inner, top };
      if (inner - outer - top <= AT_END_PX) pin(true);
      else if (wentUp) pin(false);
    };
    const observer = new ResizeObserver(() => {
      const lost = height - element.clientHeight;
      height = element.clientHeight;
      if (pinned.current) element.scrollTop = element.scrollHeight;
      else if (lost !== 0) virtual.scrollToOffset((virtual.scrollOffset ?? 0) + lost);
    });
    observer.observe(element);
    observer.observe(content);
    element.addEventListener('scroll', onScroll);
    return () => {
      observer.disconnect();
      element.removeEventListener('scroll', onScroll);
    };
  }, [box, virtual, pin]);
  return { atEnd, pin };
}

/** The message that a search result led to (`?m=`): read as far back as it stands, shown in the middle, told apart. */
function useTarget(
  conversationId: string,
  items: readonly TimelineItem[],
  virtual: Virtualizer<HTMLDivElement, Element>,
  { pin }: { pin: (atEnd: boolean) => void },
): string | null {
  const { t } = useI18n();
  const inbox = useInbox();
  const toasts = useToasts();
  const target = new URLSearchParams(useSearch()).get('m');
  const [shownFor, setShownFor] = useState<string | null>(null);
  const index =
    target === null ? -1 : items.findIndex((item) => item.kind === 'entry' && item.message?.id === target);
  const wanted = target !== null && target !== shownFor;
  const latest = useRef(index);
  latest.current = index;
  useEffect(() => {
    if (!wanted || target === null) return;
    if (index >= 0) {
      pin(false);
      setShownFor(target);
      void bringIntoView(virtual, target, () => latest.current);
      return;
    }
    let left = false;
    void inbox.readUpTo(conversationId, target).then((found) => {
      if (!found && !left) toasts.show('broken', t.search.notFound);
    });
    return () => {
      left = true;
    };
  }, [wanted, target, index, virtual, pin, inbox, conversationId, toasts, t]);
  return target;
}

const MOST_FRAMES = 30;

/** Rows have no height before they are drawn, and pages that arrive move them: so look again until it stands still. */
async function bringIntoView(
  virtual: Virtualizer<HTMLDivElement, Element>,
  messageId: string,
  index: () => number,
) {
  let still = 0;
  for (let frame = 0; frame < MOST_FRAMES && still < 3; frame++) {
    const box = virtual.scrollElement;
    const bubble = box?.querySelector(`[data-message-id="${messageId}"]`)?.getBoundingClientRect();
    const pane = box?.getBoundingClientRect();
    const inView = bubble && pane && bubble.top >= pane.top && bubble.bottom <= pane.bottom;
    still = inView ? still + 1 : 0;
    if (!inView && index() >= 0) virtual.scrollToIndex(index(), { align: 'center' });
    await new Promise(requestAnimationFrame);
  }
}

/** Where the member's mark stood when the thread was opened. */
function useNewSince(conversationId: string): number | null | undefined {
  const now = useInboxState(({ state }) => newSince(state, conversationId));
  const [atOpening, setAtOpening] = useState(now);
  if (atOpening === undefined && now !== undefined) setAtOpening(now);
  return atOpening ?? now;
}

/** How many messages of others came since the reader left the end. */
function useUnseen(shown: readonly Message[], atEnd: boolean, memberId: string): number {
  const newest = shown.at(-1)?.seq ?? 0;
  const [seenTo, setSeenTo] = useState(newest);
  if (atEnd && seenTo !== newest) setSeenTo(newest);
  if (atEnd) return 0;
  return shown.filter((message) => message.seq > seenTo && !message.deleted && message.author.id !== memberId)
    .length;
}

interface ItemProps {
  item: TimelineItem;
  repliedTo: Message | undefined;
  contactName: string;
  found: boolean;
}

function repliedTo({ rows }: ThreadState, item: TimelineItem): Message | undefined {
  const id = item.kind === 'entry' ? item.message?.replyTo : undefined;
  return id === undefined ? undefined : rows.get(id);
}

/** Drawn again only if it has changed itself: the timeline is made anew for each message that comes. */
const Item = memo(DrawnItem, (former, now) => {
  const { item, ...others } = former;
  return isSame(item, now.item) && isSame({ ...others, item: now.item }, now);
});

const isSame = <Shape extends object>(a: Shape, b: Shape) =>
  (Object.keys({ ...a, ...b }) as (keyof Shape)[]).every((name) => a[name] === b[name]);

function DrawnItem({ item, repliedTo, contactName, found }: ItemProps) {
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
      onRepeat={(message) => inbox.send(message.conversationId, message.body, message.kind)}
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
