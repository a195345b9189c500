/**
 * Reads the pages that the screen wants: the list's, the filtered list's, a thread's, and marks that no page has brought.
 * One at a time for each, and it says how it went. It knows REST, not the socket.
 */
import { asApiError } from '@/shared/api/errors';
import { Listeners } from '@/shared/lib/listeners';
import { pause } from '@/shared/lib/pause';
import { singleFlight } from '@/shared/lib/singleFlight';
import type { Arrival } from './arrivals';
import { seenBy } from './cache';
import { type Filter, filterKey } from './filters';
import type * as rest from './rest';
import { FILTERED, type InboxStore, LIST, type Reading } from './store';
import { unmarked } from './unread';

export interface ReaderOptions {
  clinicId: number;
  store: InboxStore;
  api: Pick<typeof rest, 'getClinic' | 'getConversations' | 'getMessages'>;
  ingest: (arrival: Arrival) => void;
  noteRefusal: (code: string) => void;
}

const ASK_AGAIN_MS = 1000;
const LONG_PAGE = 100;

export class Reader {
  readonly #options: ReaderOptions;
  readonly #kicks = new Listeners();
  /** Conversations whose mark was asked for: once, for an answer may not bring it. */
  #askedMarks = new Set<string>();
  readonly #underway = new Map<string, Promise<void>>();
  #stops = 0;

  constructor(options: ReaderOptions) {
    this.#options = options;
  }

  stop() {
    this.#stops++;
    this.#kicks.tell();
  }

  /** Everything was dropped: what was asked before counts no more. */
  forget() {
    this.#askedMarks = new Set();
    this.#underway.clear();
    this.#options.store.set({ readings: new Map() });
  }

  /** First pages of the lists, where they are not there. */
  tendLists() {
    const { state } = this.#options.store;
    if (!state.cursor) return;
    if (!state.clinic) void this.#readProfile();
    if (!state.list.loaded) void this.conversations(null);
    if (state.filtered && !state.filtered.loaded) void this.filtered(null);
  }

  conversations(before: string | null) {
    const { life } = this.#options.store.state;
    return this.#read(LIST, before, async () => {
      const page = await this.#options.api.getConversations(this.#options.clinicId, this.#asked(before));
      this.#options.ingest({ kind: 'conversationPage', page, before, life });
    });
  }

  /** A page of the chosen filter; another one chosen meanwhile makes the answer mere rows. */
  filtered(before: string | null) {
    const { life, filtered } = this.#options.store.state;
    if (!filtered) return undefined;
    const { filter } = filtered;
    return this.#read(this.filteredKey(filter), before, async () => {
      const { api, clinicId } = this.#options;
      const page = await api.getConversations(clinicId, this.#asked(before), filter);
      this.#options.ingest({ kind: 'conversationPage', page, before, life, filter });
    });
  }

  /** Without it the screen knows colleagues by their ids alone. */
  #readProfile = singleFlight(async () => {
    const { store, api, clinicId } = this.#options;
    const stops = this.#stops;
    while (stops === this.#stops && !store.state.clinic) {
      const { life } = store.state;
      try {
        const clinic = await api.getClinic(clinicId, seenBy(store.state));
        if (life === store.state.life) this.#options.ingest({ kind: 'profile', clinic });
      } catch (thrown) {
        const { code, retryable } = asApiError(thrown);
        this.#options.noteRefusal(code);
        if (!retryable) return;
        await pause(ASK_AGAIN_MS, this.#kicks);
      }
    }
  });

  filteredKey = (filter: Filter) => FILTERED + filterKey(filter);

  messages(conversationId: string, before: string | null) {
    const { life } = this.#options.store.state;
    return this.#read(conversationId, before, async () => {
      const page = await this.#options.api.getMessages(conversationId, this.#asked(before));
      this.#options.ingest({ kind: 'messagePage', conversationId, page, before, life });
    });
  }

  /** Reads older pages until the message is among those shown. False: it is not there, or could not be read. */
  async messagesUpTo(conversationId: string, messageId: string): Promise<boolean> {
    const { store } = this.#options;
    for (;;) {
      await this.#underway.get(conversationId);
      const thread = store.state.threads.get(conversationId);
      if (!thread?.loaded) return false;
      if (thread.shown.some(({ id }) => id === messageId)) return true;
      const { before } = thread;
      const { life } = store.state;
      if (before === null) return false;
      await this.#read(conversationId, before, async () => {
        const page = await this.#options.api.getMessages(conversationId, this.#asked(before), LONG_PAGE);
        this.#options.ingest({ kind: 'messagePage', conversationId, page, before, life });
      });
      if (store.state.threads.get(conversationId)?.before === before) return false;
    }
  }

  /** A change brought a row that no page had reached, without its mark. It is among the newest now: so is its mark. */
  tendMarks() {
    if (this.#unaskedMarks().length > 0) void this.#readMarks();
  }

  #unaskedMarks = () => unmarked(this.#options.store.state).filter((id) => !this.#askedMarks.has(id));

  #readMarks = singleFlight(async () => {
    const ids = this.#unaskedMarks();
    if (ids.length === 0) return;
    const { life } = this.#options.store.state;
    for (const id of ids) this.#askedMarks.add(id);
    try {
      const page = await this.#options.api.getConversations(this.#options.clinicId, this.#asked(null));
      this.#options.ingest({ kind: 'conversationPage', page, before: null, life });
    } catch (thrown) {
      this.#options.noteRefusal(asApiError(thrown).code);
      for (const id of ids) this.#askedMarks.delete(id); // with the next change
      await pause(ASK_AGAIN_MS, this.#kicks);
    }
  });

  #asked = (before: string | null) => ({ before, seen: seenBy(this.#options.store.state) });

  /** One at a time for each key: who asks meanwhile gets the one that runs. */
  #read(key: string, before: string | null, read: () => Promise<void>): Promise<void> {
    const running = this.#underway.get(key);
    if (running) return running;
    const reading = this.#readNow(key, before, read).finally(() => {
      if (this.#underway.get(key) === reading) this.#underway.delete(key);
    });
    this.#underway.set(key, reading);
    return reading;
  }

  async #readNow(key: string, before: string | null, read: () => Promise<void>) {
    const { store } = this.#options;
    const { life } = store.state;
    store.noteReading(key, { phase: before === null ? 'reading' : 'readingOlder' });
    let outcome: Reading | undefined;
    try {
      await read();
    } catch (thrown) {
      const { code } = asApiError(thrown);
      this.#options.noteRefusal(code);
      outcome = { phase: 'failed', code };
    }
    if (life === store.state.life) store.noteReading(key, outcome);
  }
}
