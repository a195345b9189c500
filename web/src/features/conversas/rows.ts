/** Versioned rows, and the windows of them that pages open. Pure. */
import type { Page } from '@/shared/api/types';

export interface Versioned {
  version: number;
}

export interface Row extends Versioned {
  id: string;
  deleted?: boolean;
}

export type Rows<R extends Row> = ReadonlyMap<string, R>;

/** The higher version wins, whichever comes first. Nothing new gives back the same map, so nothing is drawn again. */
export const mergeRows = <R extends Row>(held: Rows<R>, incoming: readonly R[]): Rows<R> =>
  mergeBy((row) => row.id, held, incoming);

export function mergeBy<R extends Versioned>(
  keyOf: (row: R) => string,
  held: ReadonlyMap<string, R>,
  incoming: readonly R[],
): ReadonlyMap<string, R> {
  let merged: Map<string, R> | undefined;
  for (const row of incoming) {
    const key = keyOf(row);
    const known = (merged ?? held).get(key);
    if (known && known.version >= row.version) continue;
    merged ??= new Map(held);
    merged.set(key, row);
  }
  return merged ?? held;
}

/**
 * The part of an ordered table that pages have read without a gap: every row whose place is `floor` or above.
 * Changes may bring rows from below it; they are held, but shown only when a page has reached them.
 */
export interface Window {
  readonly loaded: boolean;
  /** What to ask the next page with; null when the window reaches the beginning. */
  readonly before: string | null;
  readonly floor: number;
}

export const CLOSED: Window = { loaded: false, before: null, floor: Number.POSITIVE_INFINITY };

/** A page widens the window only where it joins on; any other page (repeated, or late) brings its rows and no more. */
export function widen<R extends Row>(
  window: Window,
  page: Page<R>,
  askedBefore: string | null,
  placeOf: (row: R) => number,
): Window {
  const joinsOn = window.loaded
    ? askedBefore !== null && askedBefore === window.before
    : askedBefore === null;
  if (!joinsOn) return window;
  const places = page.items.map(placeOf);
  const floor = page.before === null ? 0 : Math.min(window.floor, ...places);
  return { loaded: true, before: page.before, floor };
}

export interface Order<R extends Row> {
  placeOf: (row: R) => number;
  direction: 'ascending' | 'descending';
  /** A message's tombstone keeps its place, a conversation's has none. */
  tombstones: 'shown' | 'hidden';
}

/** What the screen shows of the window, in order. */
export function shown<R extends Row>(rows: Rows<R>, window: Window, order: Order<R>): readonly R[] {
  if (!window.loaded) return [];
  return [...rows.values()].filter((row) => isShown(row, window, order)).sort(comparing(order));
}

/** The same, where only a few rows have changed: they go to their places, and ten thousand others are not sorted anew. */
export function reshown<R extends Row>(
  former: readonly R[],
  rows: Rows<R>,
  changed: readonly R[],
  window: Window,
  order: Order<R>,
): readonly R[] {
  if (!window.loaded) return [];
  const compare = comparing(order);
  const ids = new Set(changed.map(({ id }) => id));
  const next = former.filter(({ id }) => !ids.has(id));
  for (const id of ids) {
    const row = rows.get(id);
    if (!row || !isShown(row, window, order)) continue;
    let [from, to] = [0, next.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      if (compare(next[middle] as R, row) < 0) from = middle + 1;
      else to = middle;
    }
    next.splice(from, 0, row);
  }
  return next;
}

const isShown = <R extends Row>(row: R, window: Window, { placeOf, tombstones }: Order<R>) =>
  placeOf(row) >= window.floor && (tombstones === 'shown' || !row.deleted);

function comparing<R extends Row>({ placeOf, direction }: Order<R>) {
  const sign = direction === 'ascending' ? 1 : -1;
  return (a: R, b: R) => sign * (placeOf(a) - placeOf(b)) || (a.id < b.id ? -1 : 1);
}
