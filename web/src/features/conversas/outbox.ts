/**
 * Orders on their way out: shown at once, carried out one after the other within a conversation, confirmed by whichever
 * comes first, packet or answer. One clientKey from the click to the provider, so no repetition counts twice. What is
 * under way survives a reload; another tab may carry on with it, the key makes that harmless.
 * It knows neither socket nor REST (`deliver` does) and no React.
 */
import { type ApiError, asApiError, wasUnanswered } from '@/shared/api/errors';
import type { MessageKind } from '@/shared/api/types';
import { randomId } from '@/shared/lib/id';
import { Listeners } from '@/shared/lib/listeners';
import { pause } from '@/shared/lib/pause';
import type { Shelf } from '@/shared/lib/shelf';
import { type Change, isMessage, type NewOrder, type Order } from './orders';

export interface OutboxOptions {
  /** Carries it out over whatever is there, and tells the cache what came of it; throws ApiError. */
  deliver: (order: Order) => Promise<void>;
  /** A change that the server refused: it is off the screen, its author should know why. */
  refused?: (change: Change, code: string) => void;
  shelf?: Shelf<Order>;
}

/** The server is there but cannot now: so often, then the author is told. */
const REFUSED_DELAYS_MS = [1000, 2000, 4000] as const;
/** Nobody answers: again and again, and at once when the connection is back (`kick`). */
const UNANSWERED_DELAYS_MS = [1000, 2000, 4000, 8000] as const;
/** Who comes back after longer than this does not mean it any more. */
const KEPT_MS = 7 * 24 * 3600 * 1000;

export class Outbox {
  readonly #options: OutboxOptions;
  readonly #listeners = new Listeners();
  readonly #pumping = new Set<string>();
  readonly #kicks = new Listeners();
  #entries: readonly Order[] = [];
  #stopped = false;
  #newest = 0;
  #forgetShelf: () => void = () => undefined;

  constructor(options: OutboxOptions) {
    this.#options = options;
    this.#entries = this.#kept();
  }

  getSnapshot = () => this.#entries;
  subscribe = this.#listeners.add;

  send(conversationId: string, body: string, kind: MessageKind, more: { expectedSeq?: number } = {}): string {
    return this.order({ type: 'message', conversationId, body, kind, ...more });
  }

  /** Shows it at once and carries it out after what was ordered before it in the same conversation. Its clientKey. */
  order(given: NewOrder, clientKey = randomId()): string {
    if (this.#find(clientKey)) return clientKey;
    this.#newest = Math.max(Date.now(), this.#newest + 1); // one after the other, also after a reload
    const createdAt = new Date(this.#newest).toISOString();
    this.#put({ ...given, clientKey, createdAt, state: 'sending' });
    void this.#pump(given.conversationId);
    return clientKey;
  }

  /** A failed one again, by its author's will; it queues up behind what was written since. */
  retry(clientKey: string, more: { expectedSeq?: number } = {}) {
    const entry = this.#find(clientKey);
    if (entry?.state !== 'failed') return;
    const { reason: _, ...again } = { ...entry, ...(isMessage(entry) && more) };
    this.#entries = this.#entries.filter((other) => other !== entry);
    this.#newest = Math.max(Date.now(), this.#newest + 1);
    this.#put({ ...again, createdAt: new Date(this.#newest).toISOString(), state: 'sending' });
    void this.#pump(entry.conversationId);
  }

  discard(clientKey: string) {
    this.#remove(clientKey);
    this.#kicks.tell();
  }

  /** Its effect is seen in a packet, page or delta: it has arrived, whatever its own answer says later. */
  confirm(clientKey: string) {
    this.#remove(clientKey);
  }

  /** Somebody may answer again: what waits is tried at once. */
  kick() {
    this.#kicks.tell();
  }

  start() {
    this.#stopped = false;
    this.#forgetShelf = this.#options.shelf?.onRemoved((key) => this.#forget(key)) ?? this.#forgetShelf;
    for (const id of new Set(this.#entries.map((entry) => entry.conversationId))) void this.#pump(id);
  }

  stop() {
    this.#stopped = true;
    this.#forgetShelf();
    this.#kicks.tell();
  }

  async #pump(conversationId: string) {
    if (this.#pumping.has(conversationId)) return;
    this.#pumping.add(conversationId);
    try {
      for (let entry = this.#next(conversationId); entry; entry = this.#next(conversationId)) {
        await this.#carryOut(entry);
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
  async #carryOut(entry: Order) {
    let refusals = 0;
    let unanswered = 0;
    while (!this.#stopped && this.#find(entry.clientKey)) {
      try {
        await this.#options.deliver(entry);
        this.#remove(entry.clientKey);
        return;
      } catch (thrown) {
        const error = asApiError(thrown);
        const delay = wasUnanswered(error)
          ? (UNANSWERED_DELAYS_MS[unanswered++] ?? UNANSWERED_DELAYS_MS.at(-1))
          : delayAfterRefusal(error, refusals++);
        if (delay === undefined) return this.#fail(entry, error.code);
        this.#patch(entry.clientKey, { state: 'waiting', reason: error.code });
        await pause(delay, this.#kicks);
      }
    }
  }

  /** A message stays, for its author to decide; a change goes, for the screen shows what is. A lost session refuses nobody. */
  #fail(entry: Order, reason: string) {
    if (reason === 'unauthenticated') {
      this.#patch(entry.clientKey, { state: 'waiting', reason });
      this.#stopped = true;
    } else if (isMessage(entry)) this.#patch(entry.clientKey, { state: 'failed', reason });
    else if (this.#find(entry.clientKey)) {
      this.#remove(entry.clientKey);
      this.#options.refused?.(entry, reason);
    }
  }

  #kept(): Order[] {
    const since = new Date(Date.now() - KEPT_MS).toISOString();
    const kept = (this.#options.shelf?.all() ?? []).filter((entry) => {
      if (entry.createdAt < since) this.#options.shelf?.remove(entry.clientKey);
      return entry.createdAt >= since;
    });
    kept.sort((a, b) => (a.createdAt < b.createdAt ? -1 : 1));
    return kept.map((entry) => (entry.state === 'failed' ? entry : { ...entry, state: 'sending' }));
  }

  #find = (clientKey: string) => this.#entries.find((entry) => entry.clientKey === clientKey);

  #put(entry: Order) {
    this.#options.shelf?.put(entry.clientKey, entry);
    this.#set([...this.#entries, entry]);
  }

  #remove(clientKey: string) {
    this.#options.shelf?.remove(clientKey);
    this.#forget(clientKey);
  }

  #forget(clientKey: string) {
    if (this.#find(clientKey)) this.#set(this.#entries.filter((entry) => entry.clientKey !== clientKey));
  }

  #patch(clientKey: string, patch: Pick<Order, 'state' | 'reason'>) {
    const entries = this.#entries.map((entry) =>
      entry.clientKey === clientKey ? { ...entry, ...patch } : entry,
    );
    const entry = entries.find((each) => each.clientKey === clientKey);
    if (!entry) return;
    this.#options.shelf?.replace(clientKey, entry);
    this.#set(entries);
  }

  #set(entries: readonly Order[]) {
    this.#entries = entries;
    this.#listeners.tell();
  }
}

/** Judges what an earlier version of the page may have kept. */
export function readOrder(stored: unknown): Order | undefined {
  const { clientKey, conversationId, createdAt, state, type } = (stored ?? {}) as Partial<Order>;
  const texts = [clientKey, conversationId, createdAt, state, type];
  return texts.every((text) => typeof text === 'string') && TYPES.has(type as string)
    ? (stored as Order)
    : undefined;
}

const TYPES = new Set<string>([
  'message',
  'update',
  'rename',
  'edit',
  'takeBack',
  'erase',
] satisfies Order['type'][]);

function delayAfterRefusal(error: ApiError, refusals: number): number | undefined {
  if (!error.retryable) return undefined;
  const delay = REFUSED_DELAYS_MS[refusals];
  return delay === undefined ? undefined : Math.max(delay, error.retryAfterMs ?? 0);
}
