/** Versioned rows, and the windows of them that pages open. Pure. */
import type { Page } from '@/shared/api/types';
import type { PersistentMap } from './persistentMap';

export interface Versioned {
  version: number;
}

export interface Row extends Versioned {
  id: string;
  deleted?: boolean;
}

export type Rows<R extends Row> = PersistentMap<R>;

/** The higher version wins, whichever comes first. Nothing new gives back the same map, so nothing is drawn again. */
export const mergeRows = <R extends Row>(held: Rows<R>, incoming: readonly R[]): Rows<R> =>
  mergeBy((row) => row.id, held, incoming);

export function mergeBy<R extends Versioned>(
  keyOf: (row: R) => string,
  held: PersistentMap<R>,
  incoming: readonly R[],
): PersistentMap<R> {
  const newer = new Map<string, R>();
  for (const row of incoming) {
    const key = keyOf(row);
    const known = newer.get(key) ?? held.get(key);
    if (!known || known.version < row.version) newer.set(key, row);
  }
  return newer.size === 0 ? held : held.with(newer);
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
  return [...rows.values()].filter((row) => isShown(row, window, order)).sort(comparing(order));
}

/** Rows, and which of them are to be seen. */
interface View<R extends Row> {
  readonly rows: Rows<R>;
  readonly shows: (row: R) => boolean;
}

/** The same, where only a few rows may have changed since: they go to their places, and ten thousand others stay in theirs. */
export function reshown<R extends Row>(
  former: View<R> & { readonly shown: readonly R[] },
  now: View<R>,
  changed: readonly string[],
  order: Order<R>,
): readonly R[] {
  const next = [...former.shown];
  for (const id of new Set(changed)) {
    const [before, after] = [former.rows.get(id), now.rows.get(id)];
    if (before && former.shows(before)) next.splice(placeIn(next, before, order), 1);
    if (after && now.shows(after)) next.splice(placeIn(next, after, order), 0, after);
  }
  return next;
}

/** Where the row stands, or would stand. */
function placeIn<R extends Row>(rows: readonly R[], row: R, order: Order<R>): number {
  const compare = comparing(order);
  let [from, to] = [0, rows.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if (compare(rows[middle] as R, row) < 0) from = middle + 1;
    else to = middle;
  }
  return from;
}

export const isShown = <R extends Row>(row: R, window: Window, { placeOf, tombstones }: Order<R>) =>
  window.loaded && placeOf(row) >= window.floor && (tombstones === 'shown' || !row.deleted);

function comparing<R extends Row>({ placeOf, direction }: Order<R>) {
  const sign = direction === 'ascending' ? 1 : -1;
  return (a: R, b: R) => sign * (placeOf(a) - placeOf(b)) || (a.id < b.id ? -1 : Number(a.id > b.id));
}
