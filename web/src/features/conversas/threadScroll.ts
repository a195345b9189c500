import type { Virtualizer } from '@tanstack/react-virtual';
import { type RefObject, useCallback, useEffect, useRef, useState } from 'react';
import { useSearch } from 'wouter';
import type { Message } from '@/shared/api/types';
import { useI18n } from '@/shared/i18n/useI18n';
import { useToasts } from '@/shared/ui/useToasts';
import type { TimelineItem } from './timeline';
import { useInbox } from './useInbox';

export const AT_END_PX = 80;

/**
 * Who stands at the end stays there, whatever changes its size: a growing composer, a line of words, a phone's keyboard, a
 * narrower window that breaks every line anew. Who reads further up keeps their line at the bottom. Only a way up that is
 * longer than what the content lost is the reader's own.
 */
export function useEndStays(
  box: RefObject<HTMLElement | null>,
  virtual: Virtualizer<HTMLDivElement, Element>,
) {
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
export function useTarget(
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

/** How many messages of others came since the reader left the end. */
export function useUnseen(shown: readonly Message[], atEnd: boolean, memberId: string): number {
  const newest = shown.at(-1)?.seq ?? 0;
  const [seenTo, setSeenTo] = useState(newest);
  if (atEnd && seenTo !== newest) setSeenTo(newest);
  if (atEnd) return 0;
  return shown.filter((message) => message.seq > seenTo && !message.deleted && message.author.id !== memberId)
    .length;
}
