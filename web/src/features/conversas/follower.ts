/**
 * Keeps the clinic and the open threads live: rooms, cursors, holes, and the stand-in while there is no socket. What is
 * missing is read off the state each time, so it does not matter why it is. No React.
 */
import type { ConnectionSnapshot } from '@/realtime/connection';
import type { ClientEvents, ServerEvents } from '@/realtime/events';
import { Rooms } from '@/realtime/rooms';
import { type ApiError, asApiError } from '@/shared/api/errors';
import { Listeners } from '@/shared/lib/listeners';
import { pause } from '@/shared/lib/pause';
import { singleFlight } from '@/shared/lib/singleFlight';
import type { Arrival } from './arrivals';
import { clinicQuestion, completeTo, hasHole, noLongerLive } from './cache';
import { formatCursor } from './cursor';
import { LongPoll } from './longPoll';
import type { Reader } from './reader';
import type * as rest from './rest';
import { type InboxStore, LIST } from './store';

/** What the inbox needs of a connection. */
export interface InboxConnection {
  readonly connected: boolean;
  readonly heardAt: number | null;
  getSnapshot(): Pick<ConnectionSnapshot, 'status'>;
  subscribe(listener: () => void): () => void;
  on<Name extends keyof ServerEvents>(name: Name, handler: (payload: ServerEvents[Name]) => void): () => void;
  request<Name extends keyof ClientEvents>(
    name: Name,
    payload: ClientEvents[Name]['payload'],
  ): Promise<ClientEvents[Name]['answer']>;
  setClinicConnections(count: number): void;
  setServerVersion(version: string): void;
}

export interface FollowerOptions {
  clinicId: number;
  connection: InboxConnection;
  store: InboxStore;
  reader: Reader;
  api: Pick<typeof rest, 'getChanges'>;
  ingest: (arrival: Arrival) => void;
  noteRefusal: (code: string) => void;
  /** A socket is there again: what waits may go. */
  connected: () => void;
  /** The stand-in was answered: what waits may go. */
  answered: () => void;
  clinicNotFound: () => void;
}

const MAX_ASKED_THREADS = 50;
const ASK_AGAIN_MS = 1000;
const STAND_IN_AFTER_MS = 3000;

export class Follower {
  readonly #options: FollowerOptions;
  readonly #rooms: Rooms;
  readonly #longPoll: LongPoll;
  readonly #tendThreads = new Map<string, () => Promise<void>>();
  readonly #kicks = new Listeners();
  #running = false;
  #wasConnected = false;
  #joined = false;
  #standInTimer: ReturnType<typeof setTimeout> | undefined;
  #unsubscribe: () => void = () => undefined;

  constructor(options: FollowerOptions) {
    this.#options = options;
    const { store, ingest } = options;
    this.#rooms = new Rooms({
      enter: (id) => void this.tendThread(id),
      leave: (id) => this.#leave(id),
    });
    this.#longPoll = new LongPoll({
      question: () => this.#question(),
      ask: (asked, signal) => options.api.getChanges(options.clinicId, asked, signal),
      answered: (asked, answer) => {
        ingest({ kind: 'clinicAnswer', asked, answer });
        store.set({ standIn: 'working', ...(!answer.more && { trueUntil: Date.now() }) });
        options.answered();
        this.#tendPages();
      },
      failed: (code) => {
        options.noteRefusal(code);
        if (code === 'not_found') options.clinicNotFound();
        store.set({ standIn: 'failing' });
      },
    });
  }

  /** Keeps the thread read and live until the returned function is called. Counted: several may want the same. */
  want = (conversationId: string) => this.#rooms.want(conversationId);

  start() {
    this.#running = true;
    this.#unsubscribe = this.#options.connection.subscribe(this.#onConnectionChange);
    this.#onConnectionChange();
    this.#planStandIn();
  }

  stop() {
    this.#running = false;
    this.#unsubscribe();
    this.#onDisconnected();
    clearTimeout(this.#standInTimer);
    this.#longPoll.stop();
    this.#kicks.tell();
  }

  /** Something was applied: is there a hole now? */
  tendHole() {
    if (hasHole(this.#state) && this.#joined) void this.tendClinic();
  }

  /** Everything was dropped (another epoch): what is open is read again. */
  startAfresh() {
    if (this.#state.cursor === null) this.#joined = false;
    if (this.#options.connection.connected) void this.tendClinic();
    for (const id of this.#rooms.all()) void this.tendThread(id);
  }

  /** By the reader's will, when nothing comes by itself. */
  askAgain() {
    if (this.#options.connection.connected) void this.tendClinic();
    else this.#longPoll.askAnew();
  }

  /** The clinic's room and cursor, then the lists' first pages. */
  tendClinic = singleFlight(async () => {
    const { connection, clinicId, store, ingest } = this.#options;
    while (this.#live && (!this.#joined || hasHole(this.#state))) {
      const asked = this.#question();
      const from = this.#state.cursor?.seq;
      try {
        const { after, conversationIds } = asked;
        const question =
          after === undefined ? { clinicId } : { clinicId, after, conversationIds: [...conversationIds] };
        const answer = await connection.request('clinic:join', question);
        ingest({ kind: 'clinicAnswer', asked, answer });
        connection.setClinicConnections(answer.connections);
        connection.setServerVersion(answer.server.version);
        this.#joined = connection.connected && !answer.more && this.#state.cursor !== null;
        if (this.#joined) store.set({ trueUntil: null });
        if (hasHole(this.#state) && this.#state.cursor?.seq === from) await pause(ASK_AGAIN_MS, this.#kicks);
      } catch (thrown) {
        if (this.#live) await this.#refused(LIST, asApiError(thrown));
        if (store.reading(LIST)?.phase === 'failed') return;
      }
    }
    this.#tendPages();
  });

  /** The thread's room (first, so that nothing falls in between), then its first page. */
  tendThread(id: string): Promise<void> {
    const tend = this.#tendThreads.get(id) ?? singleFlight(() => this.#completeThread(id));
    this.#tendThreads.set(id, tend);
    return tend();
  }

  get #state() {
    return this.#options.store.state;
  }

  get #live() {
    return this.#running && this.#options.connection.connected;
  }

  #onConnectionChange = () => {
    const { connected } = this.#options.connection;
    if (connected === this.#wasConnected) return;
    this.#wasConnected = connected;
    if (connected) this.#onConnected();
    else {
      this.#onDisconnected();
      this.#planStandIn();
    }
  };

  #onConnected() {
    clearTimeout(this.#standInTimer);
    this.#longPoll.stop();
    this.#options.store.set({ standIn: 'off' });
    void this.tendClinic();
    for (const id of this.#rooms.all()) void this.tendThread(id);
    this.#options.connected();
  }

  #onDisconnected() {
    const { connection, store } = this.#options;
    this.#wasConnected = false;
    const wasTrue = this.#joined && !hasHole(store.state);
    const trueUntil = wasTrue ? connection.heardAt : store.getSnapshot().trueUntil;
    this.#joined = false;
    store.set({ state: noLongerLive(store.state), trueUntil });
  }

  #planStandIn() {
    clearTimeout(this.#standInTimer);
    this.#standInTimer = setTimeout(() => {
      if (!this.#options.connection.connected) this.#longPoll.start();
    }, STAND_IN_AFTER_MS);
  }

  #question = () => clinicQuestion(this.#state, MAX_ASKED_THREADS, this.#rooms.all());

  /** Pages come after the cursor: what changes from there on arrives by itself. */
  #tendPages() {
    if (!this.#state.cursor || !this.#running) return;
    this.#options.reader.tendLists();
    for (const id of this.#rooms.all()) void this.tendThread(id);
  }

  async #completeThread(id: string) {
    const { connection, store, reader } = this.#options;
    store.noteReading(id, undefined);
    while (this.#running && this.#rooms.has(id) && this.#state.cursor) {
      const thread = this.#state.threads.get(id);
      try {
        if (connection.connected && thread?.liveSince == null) await this.#joinThread(id);
        else if (!thread?.loaded) await reader.messages(id, null);
        else break;
      } catch (thrown) {
        if (this.#live) await this.#refused(id, asApiError(thrown));
      }
      if (store.reading(id)?.phase === 'failed') return;
    }
    const { cursor } = this.#state;
    const thread = this.#state.threads.get(id);
    if (!connection.connected && cursor && thread && completeTo(this.#state, thread) < cursor.seq) {
      this.#longPoll.askAnew();
    }
  }

  async #joinThread(id: string) {
    const { connection, ingest } = this.#options;
    const { cursor, life, threads } = this.#state;
    const thread = threads.get(id);
    const after =
      cursor && thread?.loaded
        ? formatCursor({ ...cursor, seq: completeTo(this.#state, thread) })
        : undefined;
    const from = after === undefined ? {} : { after };
    const answer = await connection.request('conversation:join', { conversationId: id, ...from });
    if (!connection.connected || life !== this.#state.life) return;
    ingest({ kind: 'conversationAnswer', conversationId: id, answer, ...from });
  }

  #leave(id: string) {
    const { connection, store } = this.#options;
    store.set({ state: noLongerLive(store.state, [id]) });
    if (connection.connected) {
      // No harm if it is lost: packets of a thread nobody looks at are only kept.
      connection.request('conversation:leave', { conversationId: id }).catch(() => undefined);
    }
  }

  /** Waits a moment if asking again may help, else notes why it does not. */
  async #refused(key: string, error: ApiError) {
    this.#options.noteRefusal(error.code);
    if (error.retryable) await pause(Math.max(ASK_AGAIN_MS, error.retryAfterMs ?? 0), this.#kicks);
    else this.#options.store.noteReading(key, { phase: 'failed', code: error.code });
  }
}
