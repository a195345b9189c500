/**
 * One member's inbox of one clinic: joins the parts that fill the cache (follower, reader), that carry orders out
 * (outbox, read marks, commands) and that keep what was typed (drafts). No React; components ask it and subscribe.
 */
import type { Conversation, ConversationChange, Member, Message, MessageKind } from '@/shared/api/types';
import { Listeners } from '@/shared/lib/listeners';
import { Shelf } from '@/shared/lib/shelf';
import { type Arrival, keysIn } from './arrivals';
import { chooseFilter, ingest, newsIn } from './cache';
import { Commands } from './commands';
import { Drafts, readDraft } from './drafts';
import { EVERYTHING, type Filter } from './filters';
import { Follower, type InboxConnection } from './follower';
import { isMessage, type Order } from './orders';
import { Outbox, readOrder } from './outbox';
import { Reader } from './reader';
import { ReadMarks } from './readMarks';
import * as rest from './rest';
import { FILTERED, InboxStore, LIST } from './store';
import { endOf } from './unread';

export interface InboxOptions {
  clinicId: number;
  member: Member;
  connection: InboxConnection;
  onUnauthenticated: () => void;
  onClinicNotFound?: () => void;
  api?: typeof rest;
}

/** A patient has written, and this screen has heard of it live. */
export interface News {
  readonly conversation: Conversation;
}

export class Inbox {
  readonly member: Member;
  readonly clinicId: number;
  readonly outbox: Outbox;
  readonly drafts: Drafts;
  readonly api: typeof rest;
  /** Where the list was left, in pixels. */
  listOffset = 0;
  readonly #options: InboxOptions;
  readonly #store: InboxStore;
  readonly #news = new Listeners<[News]>();
  readonly #refusals = new Listeners<[Order, code: string]>();
  readonly #reader: Reader;
  readonly #follower: Follower;
  readonly #readMarks: ReadMarks;
  #unsubscribe: (() => void)[] = [];

  constructor(options: InboxOptions) {
    const { clinicId, member, connection } = options;
    this.#options = options;
    this.member = member;
    this.clinicId = clinicId;
    this.api = options.api ?? rest;
    this.#store = new InboxStore(member.id);
    const shared = {
      clinicId,
      connection,
      store: this.#store,
      api: this.api,
      ingest: (arrival: Arrival) => this.ingest(arrival),
      noteRefusal: (code: string) => this.#noteRefusal(code),
    };
    const kick = () => this.#kick();
    this.#reader = new Reader(shared);
    this.#follower = new Follower({
      ...shared,
      reader: this.#reader,
      connected: kick,
      answered: kick,
      clinicNotFound: () => options.onClinicNotFound?.(),
    });
    const commands = new Commands(shared);
    this.drafts = new Drafts(new Shelf(member.id, 'draft', clinicId, readDraft));
    this.outbox = new Outbox({
      deliver: async (order) => this.ingest(await commands.deliver(order)),
      refused: (change, code) => this.#refusals.tell(change, code),
      shelf: new Shelf(member.id, 'outbox', clinicId, readOrder),
    });
    this.#readMarks = new ReadMarks({
      endOf: (id) => endOf(this.state, id),
      deliver: async (order) => {
        const { life } = this.state;
        const read = await commands.read(order);
        if (life === this.state.life) this.ingest({ kind: 'read', read });
      },
      seenChanged: (seen) => this.#store.set({ seen }),
    });
  }

  getSnapshot = () => this.#store.getSnapshot();
  subscribe = (listener: () => void) => this.#store.subscribe(listener);
  /** A patient's message that came live: for the announcer, and for alerts. */
  onNews = this.#news.add;
  /** What was shown and had to be taken back. */
  onRefused = this.#refusals.add;

  get state() {
    return this.#store.state;
  }

  start() {
    const { connection, clinicId } = this.#options;
    this.#unsubscribe = [
      connection.on('message:new', (packet) => this.ingest({ kind: 'conversationPacket', packet })),
      connection.on('message:updated', (packet) => this.ingest({ kind: 'conversationPacket', packet })),
      connection.on('conversation:list:updated', (packet) => {
        if (packet.clinicId === clinicId) this.ingest({ kind: 'clinicPacket', packet });
      }),
      connection.on('clinic:updated', (packet) => this.ingest({ kind: 'profilePacket', packet })),
      connection.on('clinic:tick', ({ seq }) => this.ingest({ kind: 'tick', seq })),
      connection.on('conversation:read', (packet) => this.ingest({ kind: 'readPacket', packet })),
      this.outbox.subscribe(() => this.#discardOfDeleted()),
    ];
    this.outbox.start();
    this.#readMarks.start();
    this.#follower.start();
  }

  stop() {
    for (const forget of this.#unsubscribe) forget();
    this.#unsubscribe = [];
    this.#follower.stop();
    this.#reader.stop();
    this.outbox.stop();
    this.#readMarks.stop();
  }

  /** Reads the thread and keeps it true until the returned function is called. Counted: several may want the same. */
  openThread = (conversationId: string) => this.#follower.want(conversationId);

  /** The end of the thread is in view until the returned function is called: what stands there is marked as read. */
  lookAtEnd = (conversationId: string) => this.#readMarks.look(conversationId);

  readOlderMessages(conversationId: string) {
    const before = this.state.threads.get(conversationId)?.before;
    if (before) void this.#reader.messages(conversationId, before);
  }

  /** Reads older pages until the message is among those shown; false if it is not there. */
  readUpTo = (conversationId: string, messageId: string) =>
    this.#reader.messagesUpTo(conversationId, messageId);

  readOlderConversations() {
    const { list, filtered } = this.state;
    if (filtered?.before) void this.#reader.filtered(filtered.before);
    else if (!filtered && list.before) void this.#reader.conversations(list.before);
  }

  filterBy(filter: Filter = EVERYTHING) {
    this.#store.set({ state: chooseFilter(this.state, filter) });
    this.listOffset = 0;
    this.#reader.tendLists();
  }

  /** Under which key the reading of the list that is shown stands. */
  get listKey(): string {
    const { filtered } = this.state;
    return filtered ? this.#reader.filteredKey(filtered.filter) : LIST;
  }

  /** After a failure, by the reader's will. */
  readAgain(key: string) {
    this.#store.noteReading(key, undefined);
    const { list, filtered } = this.state;
    if (key.startsWith(FILTERED)) void this.#reader.filtered(filtered?.before ?? null);
    else if (key !== LIST && this.state.threads.get(key)?.loaded) this.readOlderMessages(key);
    else if (key !== LIST) void this.#follower.tendThread(key);
    else if (list.loaded) void this.#reader.conversations(list.before);
    else this.#follower.askAgain();
  }

  send(conversationId: string, body: string, kind: MessageKind): string {
    return this.outbox.send(
      conversationId,
      body,
      kind,
      kind === 'message' ? this.#seenBy(conversationId) : {},
    );
  }

  /** A message that its provider refused, written once more: by one key, for who clicks twice means it once. */
  repeat({ id, conversationId, body, kind }: Message): string {
    const again = { type: 'message', conversationId, body, kind, ...this.#seenBy(conversationId) } as const;
    return this.outbox.order(again, `again:${id}`);
  }

  /**
   * A refused message again. If it was refused because the patient had written in between, its author has now seen what:
   * so everything that was held back for it goes, in order.
   */
  retry(clientKey: string) {
    const entry = this.outbox.getSnapshot().find((each) => each.clientKey === clientKey);
    if (!entry) return;
    const held = (each: typeof entry) =>
      each.conversationId === entry.conversationId && each.reason === 'conversation_moved';
    const again = held(entry) ? this.outbox.getSnapshot().filter(held) : [entry];
    for (const each of again) {
      const seen = isMessage(each) && each.kind === 'message' ? this.#seenBy(each.conversationId) : {};
      this.outbox.retry(each.clientKey, seen);
    }
  }

  change = (conversationId: string, change: ConversationChange) =>
    this.outbox.order({ type: 'update', conversationId, change });

  rename = (conversationId: string, name: string) =>
    this.outbox.order({ type: 'rename', conversationId, name });

  edit = ({ conversationId, id }: Message, body: string) =>
    this.outbox.order({ type: 'edit', conversationId, messageId: id, body });

  takeBack = ({ conversationId, id }: Message) =>
    this.outbox.order({ type: 'takeBack', conversationId, messageId: id });

  erase = (conversationId: string) => this.outbox.order({ type: 'erase', conversationId });

  /** The patient's newest message, and what was written since, count as unread again. */
  markUnread(conversationId: string) {
    const newest = this.state.threads
      .get(conversationId)
      ?.shown.findLast(({ direction, deleted }) => direction === 'inbound' && !deleted);
    if (newest?.ordinal !== undefined)
      this.#readMarks.markUnread(conversationId, newest.seq - 1, newest.ordinal - 1);
  }

  /** The one door to the cache. */
  ingest(arrival: Arrival) {
    const former = this.state;
    const state = ingest(former, arrival);
    for (const { clientKey, authorId } of keysIn(arrival)) {
      if (authorId === undefined || authorId === this.member.id) this.outbox.confirm(clientKey);
    }
    if (state === former) return;
    this.#store.set({ state });
    for (const conversation of newsIn(former, arrival)) this.#news.tell({ conversation });
    if (state.life !== former.life) this.#startAfresh();
    else this.#follower.tendHole();
    this.#readMarks.tend();
    this.#reader.tendMarks();
    this.#discardOfDeleted();
  }

  /** A refused message of a conversation that is no more: there is no place left where its author could decide about it. */
  #discardOfDeleted() {
    for (const order of this.outbox.getSnapshot()) {
      if (order.state !== 'failed' || !this.state.conversations.get(order.conversationId)?.deleted) continue;
      this.outbox.discard(order.clientKey);
      this.#refusals.tell(order, 'not_found');
    }
  }

  #startAfresh() {
    this.#reader.forget();
    this.#readMarks.forget();
    this.#follower.startAfresh();
  }

  #kick() {
    this.outbox.kick();
    this.#readMarks.kick();
  }

  /** What the author has before their eyes when they send; before the thread is there, what they have read of it before. */
  #seenBy(conversationId: string): { expectedSeq?: number } {
    const { threads, reads } = this.state;
    const seq = threads.get(conversationId)?.shown.at(-1)?.seq ?? reads.get(conversationId)?.upTo;
    return seq === undefined ? {} : { expectedSeq: seq };
  }

  #noteRefusal(code: string) {
    if (code === 'unauthenticated') this.#options.onUnauthenticated();
  }
}
