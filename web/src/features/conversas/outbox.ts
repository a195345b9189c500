/**
 * Messages on their way out: shown at once, sent one after the other within a conversation, confirmed by whichever
 * comes first, packet or answer. One clientKey from the click to the provider, so no repetition sends twice.
 * It knows neither socket nor REST (`deliver` does) and no React.
 */
import { type ApiError, asApiError, wasUnanswered } from '@/shared/api/errors';
import type { Message, MessageKind } from '@/shared/api/types';
import { randomId } from '@/shared/lib/id';
import { Listeners } from '@/shared/lib/listeners';
import { pause } from '@/shared/lib/pause';

/** sending: under way or queued · waiting: nobody answers, tried again by itself · failed: refused, the author decides. */
export type PendingState = 'sending' | 'waiting' | 'failed';

export interface Pending {
  readonly clientKey: string;
  readonly conversationId: string;
  readonly kind: MessageKind;
  readonly body: string;
  readonly createdAt: string;
  readonly state: PendingState;
  /** Why it failed or waits: the code of the last refusal. */
  readonly reason?: string;
}

export interface OutboxOptions {
  /** Sends over whatever is there; throws ApiError. */
  deliver: (pending: Pending) => Promise<Message>;
  delivered: (message: Message) => void;
}

/** The server is there but cannot now: so often, then the author is told. */
const REFUSED_DELAYS_MS = [1000, 2000, 4000] as const;
/** Nobody answers: again and again, and at once when the connection is back (`kick`). */
const UNANSWERED_DELAYS_MS = [1000, 2000, 4000, 8000] as const;

export class Outbox {
  readonly #options: OutboxOptions;
  readonly #listeners = new Listeners();
  readonly #pumping = new Set<string>();
  readonly #kicks = new Listeners();
  #entries: readonly Pending[] = [];
  #stopped = false;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  getSnapshot = () => this.#entries;
  subscribe = this.#listeners.add;

  send(conversationId: string, body: string, kind: MessageKind): string {
    const clientKey = randomId();
    const createdAt = new Date().toISOString();
    this.#set([...this.#entries, { clientKey, conversationId, kind, body, createdAt, state: 'sending' }]);
    void this.#pump(conversationId);
    return clientKey;
  }

  /** A failed one again, by its author's will; it queues up behind what was written since. */
  retry(clientKey: string) {
    const entry = this.#find(clientKey);
    if (entry?.state !== 'failed') return;
    const { reason: _, ...again } = entry;
    this.#set([...this.#entries.filter((other) => other !== entry), { ...again, state: 'sending' }]);
    void this.#pump(entry.conversationId);
  }

  discard(clientKey: string) {
    this.#remove(clientKey);
    this.#kicks.tell();
  }

  /** The message is seen in a packet, page or delta: it has arrived, whatever its own answer says later. */
  confirm(clientKey: string) {
    this.#remove(clientKey);
  }

  /** Somebody may answer again: what waits is tried at once. */
  kick() {
    this.#kicks.tell();
  }

  start() {
    this.#stopped = false;
    for (const id of new Set(this.#entries.map((entry) => entry.conversationId))) void this.#pump(id);
  }

  stop() {
    this.#stopped = true;
    this.#kicks.tell();
  }

  async #pump(conversationId: string) {
    if (this.#pumping.has(conversationId)) return;
    this.#pumping.add(conversationId);
    try {
      for (let entry = this.#next(conversationId); entry; entry = this.#next(conversationId)) {
        await this.#sendOne(entry);
      }
    } finally {
      this.#pumping.delete(conversationId);
    }
  }

  #next(conversationId: string) {
    if (this.#stopped) return undefined;
    return this.#entries.find((entry) => entry.conversationId === conversationId && entry.state !== 'failed');
  }

  /** Returns when the entry has left the queue's head: delivered, confirmed, discarded or failed. */
  async #sendOne(entry: Pending) {
    let refusals = 0;
    let unanswered = 0;
    while (!this.#stopped && this.#find(entry.clientKey)) {
      try {
        const message = await this.#options.deliver(entry);
        this.#options.delivered(message);
        this.#remove(entry.clientKey);
        return;
      } catch (thrown) {
        const error = asApiError(thrown);
        const delay = wasUnanswered(error)
          ? (UNANSWERED_DELAYS_MS[unanswered++] ?? UNANSWERED_DELAYS_MS.at(-1))
          : delayAfterRefusal(error, refusals++);
        if (delay === undefined) return this.#patch(entry.clientKey, { state: 'failed', reason: error.code });
        this.#patch(entry.clientKey, { state: 'waiting', reason: error.code });
        await pause(delay, this.#kicks);
      }
    }
  }

  #find = (clientKey: string) => this.#entries.find((entry) => entry.clientKey === clientKey);

  #remove(clientKey: string) {
    if (this.#find(clientKey)) this.#set(this.#entries.filter((entry) => entry.clientKey !== clientKey));
  }

  #patch(clientKey: string, patch: Partial<Pending>) {
    this.#set(this.#entries.map((entry) => (entry.clientKey === clientKey ? { ...entry, ...patch } : entry)));
  }

  #set(entries: readonly Pending[]) {
    this.#entries = entries;
    this.#listeners.tell();
  }
}

function delayAfterRefusal(error: ApiError, refusals: number): number | undefined {
  if (!error.retryable) return undefined;
  const delay = REFUSED_DELAYS_MS[refusals];
  return delay === undefined ? undefined : Math.max(delay, error.retryAfterMs ?? 0);
}
