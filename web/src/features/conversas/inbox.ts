/**
 * Keeps the cache true: asks the connection and the REST API for what is missing and lets everything that comes pass
 * through `ingest`. No React. What is missing is read off the state each time, so it does not matter why it is.
 */
import type { ConnectionSnapshot } from '@/realtime/connection';
import type { ClientEvents, ServerEvents } from '@/realtime/events';
import { Rooms } from '@/realtime/rooms';
import { type ApiError, asApiError, wasUnanswered } from '@/shared/api/errors';
import type { Member, Message, ReadMark, ReadOrder } from '@/shared/api/types';
import { Listeners } from '@/shared/lib/listeners';
import { singleFlight } from '@/shared/lib/singleFlight';
import {
  type Arrival,
  clinicQuestion,
  completeTo,
  emptyInbox,
  hasHole,
  type InboxState,
  ingest,
  messagesIn,
  noLongerLive,
} from './cache';
import { formatCursor } from './cursor';
import { Drafts } from './drafts';
import { LongPoll } from './longPoll';
import { Outbox, type Pending } from './outbox';
import { ReadMarks } from './readMarks';
import * as rest from './rest';
import { endOf, type Seen, unmarked } from './unread';

/** What the inbox needs of a connection. */
export interface InboxConnection {
  readonly connected: boolean;
  getSnapshot(): Pick<ConnectionSnapshot, 'status'>;
  subscribe(listener: () => void): () => void;
  on<Name extends keyof ServerEvents>(name: Name, handler: (payload: ServerEvents[Name]) => void): () => void;
  request<Name extends keyof ClientEvents>(
    name: Name,
    payload: ClientEvents[Name]['payload'],
  ): Promise<ClientEvents[Name]['answer']>;
  setClinicConnections(count: number): void;
}

/** A page being read, or why it could not be. Absent: nothing to say. */
export type Reading = { phase: 'reading' | 'readingOlder' } | { phase: 'failed'; code: string };

export interface InboxSnapshot {
  readonly state: InboxState;
  /** By conversation id; the list's own under LIST. */
  readonly readings: ReadonlyMap<string, Reading>;
  /** Without a socket: does the REST stand-in bring changes? */
  readonly standIn: 'off' | 'working' | 'failing';
  /** While nothing comes by itself: until when (ms since 1970) the screen is known to be true. */
  readonly trueUntil: number | null;
  /** What was shown, while the server does not know yet that it was read. */
  readonly seen: Seen;
}

export interface InboxOptions {
  clinicId: number;
  member: Member;
  connection: InboxConnection;
  onUnauthenticated: () => void;
  api?: Pick<typeof rest, 'getConversations' | 'getMessages' | 'postMessage' | 'putRead' | 'getChanges'>;
}

export const LIST = 'list';
const MAX_ASKED_THREADS = 50;
const ASK_AGAIN_MS = 1000;
const STAND_IN_AFTER_MS = 3000;

export class Inbox {
  readonly member: Member;
  readonly outbox: Outbox;
  readonly drafts = new Drafts();
  /** Where the list was left, in pixels. */
  listOffset = 0;
  readonly #options: InboxOptions;
  readonly #api: NonNullable<InboxOptions['api']>;
  readonly #listeners = new Listeners();
  readonly #news = new Listeners<[patientName: string]>();
  readonly #rooms: Rooms;
  readonly #longPoll: LongPoll;
  readonly #readMarks: ReadMarks;
  readonly #tendThreads = new Map<string, () => Promise<void>>();
  /** Conversations whose mark was asked for: once, for an answer may not bring it. */
  #askedMarks = new Set<string>();
  #snapshot: InboxSnapshot;
  #unsubscribe: (() => void)[] = [];
  #wasConnected = false;
  #joined = false;
  #standInTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: InboxOptions) {
    this.#options = options;
    this.member = options.member;
    this.#snapshot = {
      state: emptyInbox(options.member.id),
      readings: new Map(),
      standIn: 'off',
      trueUntil: null,
      seen: new Map(),
    };
    this.#api = options.api ?? rest;
    this.#rooms = new Rooms({
      enter: (id) => void this.#tendThread(id),
      leave: (id) => this.#leave(id),
    });
    this.outbox = new Outbox({
      deliver: (pending) => this.#deliver(pending),
      delivered: (message) => this.ingest({ kind: 'message', message }),
    });
    this.#readMarks = new ReadMarks({
      endOf: (id) => endOf(this.state, id),
      deliver: (order) => this.#deliverRead(order),
      seenChanged: (seen) => this.#set({ seen }),
    });
    this.#longPoll = new LongPoll({
      question: () => this.#question(),
      ask: (asked, signal) => this.#api.getChanges(options.clinicId, asked, signal),
      answered: (asked, answer) => {
        this.ingest({ kind: 'clinicAnswer', asked, answer });
        this.#set({ standIn: 'working', trueUntil: Date.now() });
        this.#tendPages();
      },
      failed: (code) => {
        this.#noteRefusal(code);
        this.#set({ standIn: 'failing' });
      },
    });
  }

  getSnapshot = () => this.#snapshot;
  subscribe = this.#listeners.add;
  /** A patient's message that came live, for the announcer. */
  onNews = this.#news.add;

  get state() {
    return this.#snapshot.state;
  }

  start() {
    const { connection } = this.#options;
    this.#unsubscribe = [
      connection.subscribe(this.#onConnectionChange),
      connection.on('message:new', (packet) => this.ingest({ kind: 'conversationPacket', packet })),
      connection.on('message:updated', (packet) => this.ingest({ kind: 'conversationPacket', packet })),
      connection.on('conversation:list:updated', this.#onListPacket),
      connection.on('conversation:read', (packet) => this.ingest({ kind: 'readPacket', packet })),
      connection.on('clinic:updated', (packet) => this.ingest({ kind: 'clinicRowPacket', packet })),
      connection.on('clinic:tick', (packet) => this.ingest({ kind: 'tickPacket', packet })),
    ];
    this.outbox.start();
    this.#readMarks.start();
    this.#onConnectionChange();
    this.#planStandIn();
  }

  stop() {
    for (const forget of this.#unsubscribe) forget();
    this.#unsubscribe = [];
    this.#onDisconnected();
    clearTimeout(this.#standInTimer);
    this.#longPoll.stop();
    this.outbox.stop();
    this.#readMarks.stop();
  }

  /** Reads the thread and keeps it true until the returned function is called. Counted: several may want the same. */
  openThread = (conversationId: string) => this.#rooms.want(conversationId);

  /** The end of the thread is in view until the returned function is called: what stands there is marked as read. */
  lookAtEnd = (conversationId: string) => this.#readMarks.look(conversationId);

  readOlderMessages(conversationId: string) {
    const before = this.state.threads.get(conversationId)?.before;
    if (before) void this.#readMessages(conversationId, before);
  }

  readOlderConversations() {
    if (this.state.list.before) void this.#readConversations(this.state.list.before);
  }

  /** After a failure, by the reader's will. */
  readAgain(key: string) {
    this.#noteReading(key, undefined);
    if (key !== LIST && this.state.threads.get(key)?.loaded) this.readOlderMessages(key);
    else if (key !== LIST) void this.#tendThread(key);
    else if (this.state.list.loaded) this.readOlderConversations();
    else if (this.#options.connection.connected) void this.#tendClinic();
    else this.#longPoll.askAnew();
  }

  /** The one door to the cache. */
  ingest(arrival: Arrival) {
    const state = ingest(this.state, arrival);
    for (const { author, clientKey } of messagesIn(arrival)) {
      if (clientKey && author.id === this.member.id) this.outbox.confirm(clientKey);
    }
    if (state === this.state) return;
    const restarted = state.life !== this.state.life;
    this.#set({ state });
    if (restarted) this.#startAfresh();
    else if (hasHole(state) && this.#joined) void this.#tendClinic();
    this.#readMarks.tend();
    if (this.#unaskedMarks().length > 0) void this.#tendMarks();
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
    this.#set({ standIn: 'off' });
    void this.#tendClinic();
    for (const id of this.#rooms.all()) void this.#tendThread(id);
    this.outbox.kick();
    this.#readMarks.kick();
  }

  #onDisconnected() {
    this.#wasConnected = false;
    const trueUntil = this.#joined ? Date.now() : this.#snapshot.trueUntil;
    this.#joined = false;
    this.#set({ state: noLongerLive(this.state), trueUntil });
  }

  #planStandIn() {
    clearTimeout(this.#standInTimer);
    this.#standInTimer = setTimeout(() => {
      if (!this.#options.connection.connected) this.#longPoll.start();
    }, STAND_IN_AFTER_MS);
  }

  #onListPacket = (packet: ServerEvents['conversation:list:updated']) => {
    if (packet.clinicId !== this.#options.clinicId) return;
    const known = this.state.conversations.get(packet.conversationId)?.lastMessage?.id;
    const last = packet.conversation.lastMessage;
    this.ingest({ kind: 'clinicPacket', packet });
    if (last && last.id !== known && last.direction === 'inbound') this.#news.tell(last.authorName);
  };

  /** The clinic's room and cursor, then the list's first page. */
  #tendClinic = singleFlight(async () => {
    const { connection, clinicId } = this.#options;
    while (connection.connected && (!this.#joined || hasHole(this.state))) {
      const asked = this.#question();
      const from = this.state.cursor?.seq;
      try {
        const { after, conversationIds } = asked;
        const question =
          after === undefined ? { clinicId } : { clinicId, after, conversationIds: [...conversationIds] };
        const answer = await connection.request('clinic:join', question);
        this.ingest({ kind: 'clinicAnswer', asked, answer });
        connection.setClinicConnections(answer.connections);
        this.#joined = connection.connected && !answer.more && this.state.cursor !== null;
        if (this.#joined) this.#set({ trueUntil: null });
        if (hasHole(this.state) && this.state.cursor?.seq === from) await sleep(ASK_AGAIN_MS);
      } catch (thrown) {
        if (connection.connected) await this.#refused(LIST, asApiError(thrown));
        if (this.#snapshot.readings.get(LIST)?.phase === 'failed') return;
      }
    }
    this.#tendPages();
  });

  #question = () => clinicQuestion(this.state, MAX_ASKED_THREADS, this.#rooms.all());

  /** Pages come after the cursor: what changes from there on arrives by itself. */
  #tendPages() {
    if (!this.state.cursor) return;
    if (!this.state.list.loaded) void this.#readConversations(null);
    for (const id of this.#rooms.all()) void this.#tendThread(id);
  }

  #unaskedMarks = () => unmarked(this.state).filter((id) => !this.#askedMarks.has(id));

  /** A change brought a row that no page had reached, without its mark. It is among the newest now: so is its mark. */
  #tendMarks = singleFlight(async () => {
    const ids = this.#unaskedMarks();
    if (ids.length === 0) return;
    const { life } = this.state;
    for (const id of ids) this.#askedMarks.add(id);
    try {
      const page = await this.#api.getConversations(this.#options.clinicId, null);
      this.ingest({ kind: 'conversationPage', page, before: null, life });
    } catch (thrown) {
      this.#noteRefusal(asApiError(thrown).code);
      for (const id of ids) this.#askedMarks.delete(id); // with the next change
      await sleep(ASK_AGAIN_MS);
    }
  });

  /** The thread's room (first, so that nothing falls in between), then its first page. */
  #tendThread(id: string): Promise<void> {
    const tend = this.#tendThreads.get(id) ?? singleFlight(() => this.#completeThread(id));
    this.#tendThreads.set(id, tend);
    return tend();
  }

  async #completeThread(id: string) {
    const { connection } = this.#options;
    this.#noteReading(id, undefined);
    while (this.#rooms.has(id) && this.state.cursor) {
      const thread = this.state.threads.get(id);
      try {
        if (connection.connected && thread?.liveSince == null) await this.#joinThread(id);
        else if (!thread?.loaded) await this.#readMessages(id, null);
        else break;
      } catch (thrown) {
        if (connection.connected) await this.#refused(id, asApiError(thrown));
      }
      if (this.#snapshot.readings.get(id)?.phase === 'failed') return;
    }
    const { cursor } = this.state;
    const thread = this.state.threads.get(id);
    if (!connection.connected && cursor && thread && completeTo(this.state, thread) < cursor.seq) {
      this.#longPoll.askAnew();
    }
  }

  async #joinThread(id: string) {
    const { cursor } = this.state;
    const thread = this.state.threads.get(id);
    const { life } = this.state;
    const after =
      cursor && thread?.loaded ? formatCursor({ ...cursor, seq: completeTo(this.state, thread) }) : undefined;
    const answer = await this.#options.connection.request('conversation:join', {
      conversationId: id,
      ...(after !== undefined && { after }),
    });
    if (!this.#options.connection.connected || life !== this.state.life) return;
    this.ingest({
      kind: 'conversationAnswer',
      conversationId: id,
      answer,
      ...(after !== undefined && { after }),
    });
  }

  #leave(id: string) {
    this.#set({ state: noLongerLive(this.state, [id]) });
    if (this.#options.connection.connected) {
      // No harm if it is lost: packets of a thread nobody looks at are only kept.
      this.#options.connection.request('conversation:leave', { conversationId: id }).catch(() => undefined);
    }
  }

  #readConversations(before: string | null) {
    const { life } = this.state;
    return this.#read(LIST, before, async () => {
      const page = await this.#api.getConversations(this.#options.clinicId, before);
      this.ingest({ kind: 'conversationPage', page, before, life });
    });
  }

  #readMessages(conversationId: string, before: string | null) {
    const { life } = this.state;
    return this.#read(conversationId, before, async () => {
      const page = await this.#api.getMessages(conversationId, before);
      this.ingest({ kind: 'messagePage', conversationId, page, before, life });
    });
  }

  async #read(key: string, before: string | null, read: () => Promise<void>) {
    const { life } = this.state;
    const running = this.#snapshot.readings.get(key);
    if (running && running.phase !== 'failed') return;
    this.#noteReading(key, { phase: before === null ? 'reading' : 'readingOlder' });
    let outcome: Reading | undefined;
    try {
      await read();
    } catch (thrown) {
      const { code } = asApiError(thrown);
      this.#noteRefusal(code);
      outcome = { phase: 'failed', code };
    }
    if (life === this.state.life) this.#noteReading(key, outcome);
  }

  #deliver({ clientKey, conversationId, body, kind }: Pending): Promise<Message> {
    return this.#command(
      async (connection) =>
        (await connection.request('message:send', { conversationId, clientKey, body, kind })).message,
      () => this.#api.postMessage(conversationId, { clientKey, body, kind }),
    );
  }

  async #deliverRead(order: ReadOrder) {
    const { life } = this.state;
    const read: ReadMark = await this.#command(
      async (connection) => (await connection.request('message:read', order)).read,
      () => this.#api.putRead(order),
    );
    if (life === this.state.life) this.ingest({ kind: 'read', read });
  }

  /** Over the socket if there is one; when it stays silent the same clientKey goes over REST, and counts once. */
  async #command<Answer>(
    overSocket: (connection: InboxConnection) => Promise<Answer>,
    overRest: () => Promise<Answer>,
  ): Promise<Answer> {
    const { connection } = this.#options;
    try {
      if (connection.connected) {
        try {
          return await overSocket(connection);
        } catch (error) {
          if (!wasUnanswered(asApiError(error))) throw error;
        }
      }
      return await overRest();
    } catch (error) {
      this.#noteRefusal(asApiError(error).code);
      throw error;
    }
  }

  /** Everything was dropped (another epoch): what is open is read again. */
  #startAfresh() {
    if (this.state.cursor === null) this.#joined = false;
    this.#askedMarks = new Set();
    this.#readMarks.forget();
    this.#set({ readings: new Map() });
    if (this.#options.connection.connected) void this.#tendClinic();
    for (const id of this.#rooms.all()) void this.#tendThread(id);
  }

  /** Waits a moment if asking again may help, else notes why it does not. */
  async #refused(key: string, error: ApiError) {
    this.#noteRefusal(error.code);
    if (error.retryable) await sleep(Math.max(ASK_AGAIN_MS, error.retryAfterMs ?? 0));
    else this.#noteReading(key, { phase: 'failed', code: error.code });
  }

  #noteRefusal(code: string) {
    if (code === 'unauthenticated') this.#options.onUnauthenticated();
  }

  #noteReading(key: string, reading: Reading | undefined) {
    const readings = new Map(this.#snapshot.readings);
    if (reading) readings.set(key, reading);
    else readings.delete(key);
    this.#set({ readings });
  }

  #set(patch: Partial<InboxSnapshot>) {
    this.#snapshot = { ...this.#snapshot, ...patch };
    this.#listeners.tell();
  }
}

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
