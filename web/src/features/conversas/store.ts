/** What the screen sees of the inbox: one snapshot, replaced as a whole by the parts that fill it. No React. */
import { Listeners } from '@/shared/lib/listeners';
import { emptyInbox, type InboxState } from './cache';
import type { Seen } from './unread';

/** A page being read, or why it could not be. Absent: nothing to say. */
export type Reading = { phase: 'reading' | 'readingOlder' } | { phase: 'failed'; code: string };

export interface InboxSnapshot {
  readonly state: InboxState;
  /** By conversation id; the lists' own under LIST and FILTERED. */
  readonly readings: ReadonlyMap<string, Reading>;
  /** Without a socket: does the REST stand-in bring changes? */
  readonly standIn: 'off' | 'working' | 'failing';
  /** While nothing comes by itself: until when (ms since 1970) the screen is known to be true. */
  readonly trueUntil: number | null;
  /** What was shown, while the server does not know yet that it was read. */
  readonly seen: Seen;
}

export const LIST = 'list';
export const FILTERED = 'filtered';

export class InboxStore {
  readonly #listeners = new Listeners();
  #snapshot: InboxSnapshot;

  constructor(memberId: string) {
    this.#snapshot = {
      state: emptyInbox(memberId),
      readings: new Map(),
      standIn: 'off',
      trueUntil: null,
      seen: new Map(),
    };
  }

  getSnapshot = () => this.#snapshot;
  subscribe = this.#listeners.add;

  get state() {
    return this.#snapshot.state;
  }

  set(patch: Partial<InboxSnapshot>) {
    this.#snapshot = { ...this.#snapshot, ...patch };
    this.#listeners.tell();
  }

  reading = (key: string) => this.#snapshot.readings.get(key);

  noteReading(key: string, reading: Reading | undefined) {
    if (reading === this.#snapshot.readings.get(key)) return;
    const readings = new Map(this.#snapshot.readings);
    if (reading) readings.set(key, reading);
    else readings.delete(key);
    this.set({ readings });
  }
}
