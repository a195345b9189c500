/**
 * Tells the server how far this member has read, once per newest message: at most one order in flight per thread, the
 * newest wins, kept until it is answered. It knows neither socket nor REST (`deliver` does) and no React.
 */
import { asApiError } from '@/shared/api/errors';
import type { ReadOrder } from '@/shared/api/types';
import { randomId } from '@/shared/lib/id';
import { Listeners } from '@/shared/lib/listeners';
import { pause } from '@/shared/lib/pause';
import type { End, Seen } from './unread';

export interface ReadMarksOptions {
  /** What stands at the end of a thread that is being looked at. */
  endOf: (conversationId: string) => End | undefined;
  /** Sends over whatever is there; throws ApiError. */
  deliver: (order: ReadOrder) => Promise<void>;
  seenChanged: (seen: Seen) => void;
}

interface Order extends ReadOrder {
  ordinal: number;
}

interface Look {
  lookers: number;
  /** Dealt with once: if the mark goes back by the member's will, on another screen, it stays there. */
  upTo: number;
}

const RETRY_DELAYS_MS = [1000, 2000, 4000, 8000, 16_000] as const;

export class ReadMarks {
  readonly #options: ReadMarksOptions;
  readonly #looks = new Map<string, Look>();
  readonly #orders = new Map<string, Order>();
  readonly #pumping = new Set<string>();
  readonly #kicks = new Listeners();
  #stopped = false;

  constructor(options: ReadMarksOptions) {
    this.#options = options;
  }

  /** The thread's end is in view until the returned function is called. */
  look(conversationId: string): () => void {
    const look = this.#looks.get(conversationId) ?? { lookers: 0, upTo: 0 };
    look.lookers++;
    this.#looks.set(conversationId, look);
    this.tend();
    let looking = true;
    return () => {
      if (looking && --look.lookers === 0) this.#looks.delete(conversationId);
      looking = false;
    };
  }

  /** Something may be due: messages came, a mark came, the tab is shown again. */
  tend() {
    if (this.#stopped || document.visibilityState !== 'visible') return;
    for (const [conversationId, look] of [...this.#looks]) {
      const end = this.#options.endOf(conversationId);
      if (!end || end.upTo <= look.upTo) continue;
      const { upTo, ordinal } = end;
      look.upTo = upTo;
      if (end.marked || this.#orders.get(conversationId)?.upTo === upTo) continue;
      this.#orders.set(conversationId, { clientKey: randomId(), conversationId, upTo, ordinal });
      this.#tellSeen();
      void this.#pump(conversationId);
    }
  }

  /** Back by the member's will; it stays there until something new comes or the thread is opened again. */
  markUnread(conversationId: string, upTo: number, ordinal: number) {
    const look = this.#looks.get(conversationId);
    if (look) look.upTo = Math.max(look.upTo, this.#options.endOf(conversationId)?.upTo ?? 0);
    this.#orders.set(conversationId, { clientKey: randomId(), conversationId, upTo, ordinal });
    this.#tellSeen();
    void this.#pump(conversationId);
  }

  /** Somebody may answer again: what waits is tried at once. */
  kick() {
    this.#kicks.tell();
  }

  /** Another history: what was asked says nothing about it. */
  forget() {
    this.#orders.clear();
    for (const look of this.#looks.values()) look.upTo = 0;
    this.#tellSeen();
    this.#kicks.tell();
  }

  start() {
    this.#stopped = false;
    document.addEventListener('visibilitychange', this.#onVisibility);
    for (const id of this.#orders.keys()) void this.#pump(id);
  }

  stop() {
    this.#stopped = true;
    document.removeEventListener('visibilitychange', this.#onVisibility);
    this.#kicks.tell();
  }

  #onVisibility = () => this.tend();

  async #pump(conversationId: string) {
    if (this.#pumping.has(conversationId)) return;
    this.#pumping.add(conversationId);
    let failures = 0;
    for (let order = this.#next(conversationId); order; order = this.#next(conversationId)) {
      const { ordinal: _, ...said } = order;
      try {
        await this.#options.deliver(said);
        this.#done(order);
        failures = 0;
      } catch (thrown) {
        const error = asApiError(thrown);
        const delay = RETRY_DELAYS_MS[failures++] ?? RETRY_DELAYS_MS[RETRY_DELAYS_MS.length - 1];
        if (!error.retryable) this.#done(order);
        else if (!this.#stopped) await pause(Math.max(delay ?? 0, error.retryAfterMs ?? 0), this.#kicks);
      }
    }
    this.#pumping.delete(conversationId);
  }

  #next = (conversationId: string) => (this.#stopped ? undefined : this.#orders.get(conversationId));

  /** Answered; a newer order may have taken its place in the meantime. */
  #done(order: Order) {
    if (this.#orders.get(order.conversationId) !== order) return;
    this.#orders.delete(order.conversationId);
    this.#tellSeen();
  }

  #tellSeen() {
    this.#options.seenChanged(new Map([...this.#orders].map(([id, { ordinal }]) => [id, ordinal])));
  }
}
