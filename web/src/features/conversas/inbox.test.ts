// @vitest-environment jsdom
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { RealtimeConnection } from '@/realtime/connection';
import { FakeSocket } from '@/realtime/fakeSocket';
import { ApiError } from '@/shared/api/errors';
import type {
  ClinicProfile,
  Conversation,
  ConversationChange,
  ConversationPage,
  Delta,
  Message,
  Page,
  ReadMark,
  ReadOrder,
} from '@/shared/api/types';
import type { Asked } from './arrivals';
import type { Filter } from './filters';
import {
  ANA,
  conversation,
  listPacket,
  message,
  messagePacket,
  ownMessage,
  page,
  readMark,
  readPacket,
} from './fixtures';
import { Inbox } from './inbox';
import type { AskedPage } from './rest';
import { unreadOf } from './unread';

const NETWORK = new ApiError('network', { retryable: true });

/** A server's REST half: answers from its rows at once, or not at all when it is down. */
class Rest {
  readonly calls: string[] = [];
  readonly posted: { clientKey: string; body: string }[] = [];
  conversations: Conversation[] = [];
  messages: Message[] = [];
  reads: ReadMark[] = [];
  seq = 0;
  down = false;
  held = 0;
  changes: ((delta: Delta) => void)[] = [];

  /** With each read of a page. */
  readonly seen: (string | null)[] = [];

  getConversations = async (
    _clinic: number,
    { before, seen }: AskedPage,
    filter?: Filter,
  ): Promise<ConversationPage> => {
    this.seen.push(seen);
    this.#note(`conversations ${before ?? 'first'}${filter ? ` ${JSON.stringify(filter)}` : ''}`);
    return { ...page(this.conversations, this.seq), reads: this.reads };
  };
  getMessages = async (id: string, { before, seen }: AskedPage): Promise<Page<Message>> => {
    this.seen.push(seen);
    this.#note(`messages ${id} ${before ?? 'first'}`);
    return page(this.messages, this.seq);
  };
  postMessage = async (id: string, sent: { clientKey: string; body: string }): Promise<Message> => {
    this.#note(`post ${id}`);
    this.posted.push(sent);
    return ownMessage(id, ++this.seq, sent.clientKey, { body: sent.body });
  };
  putRead = async ({ conversationId, upTo }: ReadOrder): Promise<ReadMark> => {
    this.#note(`read ${conversationId} ${upTo}`);
    return readMark(conversationId, 99, { upTo });
  };
  getChanges = (_clinic: number, asked: Asked, signal: AbortSignal): Promise<Delta> => {
    this.#note(`changes ${asked.after ?? 'cold'} [${asked.conversationIds}]`);
    this.held++;
    return new Promise<Delta>((resolve, reject) => {
      this.changes.push(resolve);
      signal.addEventListener('abort', () => reject(signal.reason));
    }).finally(() => this.held--);
  };

  clinicAsked = 0;
  clinic: ClinicProfile | ApiError = new ApiError('not_found');
  getClinic = async (): Promise<ClinicProfile> => {
    this.clinicAsked++;
    if (this.clinic instanceof ApiError) throw this.clinic;
    return this.clinic;
  };
  getSearch = async () => ({ items: [], before: null, seq: this.seq });
  patchConversation = async (id: string, change: { clientKey: string } & ConversationChange) => {
    this.#note(`patch ${id} ${JSON.stringify({ ...change, clientKey: undefined })}`);
    const { assigneeId: _, ...rest } = change;
    return conversation(id, ++this.seq, rest as Partial<Conversation>);
  };
  patchContact = async (id: string) => conversation(id, ++this.seq);
  patchMessage = async () => message('a', ++this.seq);
  deleteMessage = async () => message('a', ++this.seq);
  deleteConversation = async (id: string) => conversation(id, ++this.seq, { deleted: true });

  #note(call: string) {
    this.calls.push(call);
    if (this.down) throw NETWORK;
  }
}

let socket: FakeSocket;
let rest: Rest;
let connection: RealtimeConnection;
let inbox: Inbox;
const onUnauthenticated = vi.fn();

beforeEach(() => {
  vi.useFakeTimers();
  onUnauthenticated.mockClear();
  socket = new FakeSocket();
  rest = new Rest();
  connection = new RealtimeConnection({ clinicId: 1, createSocket: socket.asSocket, random: () => 0 });
  inbox = new Inbox({ clinicId: 1, member: ANA, connection, onUnauthenticated, api: rest });
  inbox.start();
  connection.start();
});
afterEach(() => {
  inbox.stop();
  connection.stop();
  localStorage.clear();
  vi.useRealTimers();
});

const settle = () => vi.advanceTimersByTimeAsync(0);
const connect = () => {
  socket.comes('connect');
  return settle();
};
const drop = () => {
  socket.comes('disconnect', 'transport close');
  return settle();
};
const sent = (name: string) =>
  socket.sent.filter((packet) => packet.name === name).map((packet) => packet.payload);

/** Acknowledges the oldest unanswered packet of that name. */
const answered = new WeakSet<object>();
async function answer(name: string, ack: object | Error) {
  const packet = socket.sent.find((candidate) => candidate.name === name && !answered.has(candidate));
  if (!packet) throw new Error(`nothing unanswered: ${name}`);
  answered.add(packet);
  if (ack instanceof Error) packet.ack(ack);
  else packet.ack(null, ack);
  await settle();
}
const joined = (cursor: string, delta: object = {}) => ({
  ok: true,
  cursor,
  connections: 1,
  server: { version: '0.1.0' },
  ...delta,
});
const rows = { conversations: [] as Conversation[], messages: [] as Message[], reads: [] };

const bodies = (id: string) => inbox.state.threads.get(id)?.shown.map((row) => row.body);

/** Connected, with conversation `a` open, at seq 5. */
async function opened() {
  rest.conversations = [conversation('a', 5)];
  rest.messages = [message('a', 5)];
  rest.seq = 5;
  const close = inbox.openThread('a');
  await connect();
  await answer('clinic:join', joined('e:5'));
  await answer('conversation:join', { ok: true, cursor: 'e:5' });
  return close;
}

describe('cold start', () => {
  it('joins, then reads: the list after the clinic’s cursor, the thread after its room', async () => {
    inbox.openThread('a');
    await connect();
    expect(sent('clinic:join')).toEqual([{ clinicId: 1 }]);
    expect(rest.calls).toEqual([]);
    await answer('clinic:join', joined('e:5'));
    expect(rest.calls).toEqual(['conversations first']);
    expect(sent('conversation:join')).toEqual([{ conversationId: 'a' }]);
    await answer('conversation:join', { ok: true, cursor: 'e:5' });
    expect(rest.calls).toEqual(['conversations first', 'messages a first']);
  });

  it('reads nothing older than the newest it has seen, also beyond a hole', async () => {
    await opened();
    expect(rest.seen).toEqual(['e:5', 'e:5']);
    socket.comes('conversation:list:updated', listPacket(conversation('b', 8)));
    inbox.filterBy({ status: 'open' });
    await settle();
    expect(rest.seen.at(-1)).toBe('e:8');
  });

  it('what arrives while a page is on its way is not lost', async () => {
    let give: (page: Page<Message>) => void = () => undefined;
    rest.getMessages = () => new Promise((resolve) => (give = resolve));
    await opened();
    socket.comes('message:new', messagePacket(message('a', 6)));
    give(page([message('a', 5)], 5));
    await settle();
    expect(bodies('a')).toEqual(['texto 5', 'texto 6']);
  });
});

describe('holes', () => {
  it('a packet too far ahead asks once for what is missing, however many follow', async () => {
    await opened();
    for (const seq of [8, 9, 10])
      socket.comes('conversation:list:updated', listPacket(conversation('b', seq)));
    await settle();
    expect(sent('clinic:join')).toEqual([
      { clinicId: 1 },
      { clinicId: 1, after: 'e:5', conversationIds: ['a'] },
    ]);
    await answer('clinic:join', joined('e:10', { ...rows, messages: [message('a', 6)] }));
    expect(inbox.state.cursor?.seq).toBe(10);
    expect(bodies('a')).toEqual(['texto 5', 'texto 6']);
    expect(sent('clinic:join')).toHaveLength(2);
  });

  it('with `more` it asks on from where the answer ended', async () => {
    await opened();
    socket.comes('conversation:list:updated', listPacket(conversation('b', 20)));
    await settle();
    await answer('clinic:join', joined('e:12', { ...rows, more: true }));
    expect(sent('clinic:join').at(-1)).toMatchObject({ after: 'e:12' });
    await answer('clinic:join', joined('e:20', rows));
    expect(inbox.state.cursor?.seq).toBe(20);
  });

  it('asks again after silence, while the connection stands', async () => {
    await connect();
    await answer('clinic:join', new Error('operation has timed out'));
    await vi.advanceTimersByTimeAsync(1000);
    expect(sent('clinic:join')).toHaveLength(2);
  });
});

describe('reconnecting', () => {
  it('states its cursor and its complete threads, and joins the open room from there', async () => {
    await opened();
    await drop();
    await vi.advanceTimersByTimeAsync(1000);
    await connect();
    expect(sent('clinic:join').at(-1)).toEqual({ clinicId: 1, after: 'e:5', conversationIds: ['a'] });
    expect(sent('conversation:join').at(-1)).toEqual({ conversationId: 'a', after: 'e:5' });
    await answer('clinic:join', joined('e:7', { ...rows, conversations: [conversation('a', 7)] }));
    await answer('conversation:join', { ok: true, cursor: 'e:7', ...rows, messages: [message('a', 7)] });
    expect(bodies('a')).toEqual(['texto 5', 'texto 7']);
    expect(rest.calls.filter((call) => call.startsWith('messages'))).toHaveLength(1);
  });

  it('a thread closed for a while is brought up to date from where it was complete', async () => {
    const close = await opened();
    close();
    await settle();
    expect(sent('conversation:leave')).toEqual([{ conversationId: 'a' }]);
    socket.comes('conversation:list:updated', listPacket(conversation('a', 6)));
    inbox.openThread('a');
    await settle();
    expect(sent('conversation:join').at(-1)).toEqual({ conversationId: 'a', after: 'e:5' });
  });

  it('another epoch: everything is dropped and read afresh', async () => {
    await opened();
    await drop();
    await vi.advanceTimersByTimeAsync(1000);
    await connect();
    rest.conversations = [conversation('z', 2)];
    await answer('clinic:join', joined('other:2', { ...rows, reset: true }));
    expect(rest.calls.filter((call) => call === 'conversations first')).toHaveLength(2);
    expect(inbox.state.list.shown.map((row) => row.id)).toEqual(['z']);
    await answer('conversation:join', { ok: true, cursor: 'other:2', ...rows }); // asked in the former life
    expect(sent('conversation:join').at(-1)).toEqual({ conversationId: 'a' });
  });
});

describe('the clinic itself', () => {
  const profile = { id: 1, name: 'Clínica', version: 3, members: [], labels: [] } as unknown as ClinicProfile;

  it('is read again when everything was dropped, over the socket as over requests', async () => {
    rest.clinic = profile;
    await opened();
    expect(inbox.state.clinic).toBe(profile);
    await drop();
    await vi.advanceTimersByTimeAsync(1000);
    await connect();
    rest.clinic = { ...profile, version: 1 };
    await answer('clinic:join', joined('other:2', { ...rows, reset: true }));
    expect(rest.clinicAsked).toBe(2);
    expect(inbox.state.clinic?.version).toBe(1);
    await drop();
    await vi.advanceTimersByTimeAsync(3000);
    rest.clinic = { ...profile, version: 2 };
    rest.changes.shift()?.({ cursor: 'third:1', more: false, reset: true, ...rows });
    await settle();
    expect(inbox.state.clinic?.version).toBe(2);
  });

  it('is asked for again after a failure', async () => {
    rest.clinic = NETWORK;
    await opened();
    expect(inbox.state.clinic).toBeNull();
    await vi.advanceTimersByTimeAsync(1000);
    rest.clinic = profile;
    await vi.advanceTimersByTimeAsync(1000);
    expect(inbox.state.clinic).toBe(profile);
    expect(rest.clinicAsked).toBe(3);
  });

  it('whose screen is left is asked for no more', async () => {
    rest.clinic = NETWORK;
    await opened();
    inbox.stop();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(rest.clinicAsked).toBe(1);
  });
});

describe('a thread that cannot be read', () => {
  it('says so, and reads again when asked', async () => {
    rest.getMessages = async () => {
      throw NETWORK;
    };
    await opened();
    expect(inbox.getSnapshot().readings.get('a')).toEqual({ phase: 'failed', code: 'network' });
    rest.getMessages = async () => page([message('a', 5)], 5);
    inbox.readAgain('a');
    await settle();
    expect(bodies('a')).toEqual(['texto 5']);
    expect(inbox.getSnapshot().readings.has('a')).toBe(false);
  });

  it('not found is final', async () => {
    inbox.openThread('x');
    await connect();
    await answer('clinic:join', joined('e:5'));
    await answer('conversation:join', {
      ok: false,
      error: { code: 'not_found', message: '', retryable: false },
    });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(sent('conversation:join')).toHaveLength(1);
    expect(inbox.getSnapshot().readings.get('x')).toEqual({ phase: 'failed', code: 'not_found' });
  });
});

describe('sending', () => {
  const keyOf = (payload: unknown) => (payload as { clientKey: string }).clientKey;

  it('goes over the socket and is confirmed by the packet before the acknowledgement', async () => {
    await opened();
    const key = inbox.outbox.send('a', 'oi', 'message');
    await settle();
    expect(sent('message:send')).toEqual([
      { conversationId: 'a', clientKey: key, body: 'oi', kind: 'message' },
    ]);
    const row = ownMessage('a', 6, key, { body: 'oi' });
    socket.comes('message:new', messagePacket(row));
    expect(inbox.outbox.getSnapshot()).toEqual([]);
    await answer('message:send', { ok: true, message: row });
    expect(bodies('a')).toEqual(['texto 5', 'oi']);
  });

  it('when the socket stays silent, the same clientKey goes over REST', async () => {
    await opened();
    inbox.outbox.send('a', 'oi', 'message');
    await settle();
    await answer('message:send', new Error('operation has timed out'));
    expect(rest.posted.map(({ clientKey }) => clientKey)).toEqual([keyOf(sent('message:send')[0])]);
    expect(bodies('a')).toEqual(['texto 5', 'oi']);
  });

  it('a reply that failed is repeated once, however often that is asked for', async () => {
    await opened();
    const failed = ownMessage('a', 6, 'key', { status: 'failed', body: 'oi' });
    socket.comes('message:new', messagePacket(failed));
    const key = inbox.repeat(failed);
    inbox.repeat(failed);
    await settle();
    expect(sent('message:send')).toEqual([
      { conversationId: 'a', clientKey: key, body: 'oi', kind: 'message', expectedSeq: 6 },
    ]);
    const again = ownMessage('a', 7, key, { body: 'oi' });
    await answer('message:send', { ok: true, message: again });
    inbox.repeat(failed);
    await settle();
    await answer('message:send', { ok: true, message: again });
    expect(bodies('a')).toEqual(['texto 5', 'oi', 'oi']);
    expect(inbox.outbox.getSnapshot()).toEqual([]);
    expect(inbox.repeat(again)).not.toBe(key);
  });

  it.each(['before', 'after'])(
    'to a conversation that a colleague has deleted it is taken back and told, refused %s that is known',
    async (when) => {
      await opened();
      const told: [string, string][] = [];
      inbox.onRefused(({ type }, code) => told.push([type, code]));
      inbox.send('a', 'oi', 'message');
      await settle();
      const refuse = () =>
        answer('message:send', {
          ok: false,
          error: { code: 'not_found', message: '', retryable: false },
        });
      if (when === 'before') await refuse();
      expect(inbox.outbox.getSnapshot()).toHaveLength(1);
      socket.comes('conversation:list:updated', listPacket(conversation('a', 6, { deleted: true })));
      if (when === 'after') await refuse();
      expect(inbox.outbox.getSnapshot()).toEqual([]);
      expect(told).toEqual([['message', 'not_found']]);
      expect(localStorage).toHaveLength(0);
    },
  );

  it('without anything it waits, and goes out in order when the connection is back', async () => {
    await opened();
    await drop();
    rest.down = true;
    inbox.outbox.send('a', 'um', 'message');
    inbox.outbox.send('a', 'dois', 'message');
    await settle();
    expect(inbox.outbox.getSnapshot().map((entry) => entry.state)).toEqual(['waiting', 'sending']);
    await connect();
    expect(sent('message:send')).toMatchObject([{ body: 'um' }]);
    await answer('message:send', { ok: true, message: ownMessage('a', 6, keyOf(sent('message:send')[0])) });
    expect(sent('message:send')).toMatchObject([{ body: 'um' }, { body: 'dois' }]);
  });

  it('another member’s message with an equal key confirms nothing of ours', async () => {
    await opened();
    const key = inbox.outbox.send('a', 'oi', 'message');
    const other = ownMessage('a', 6, key, { author: { type: 'member', id: 'bia', name: 'Bia' } });
    socket.comes('message:new', messagePacket(other));
    expect(inbox.outbox.getSnapshot()).toHaveLength(1);
  });
});

describe('a patient who wrote in between', () => {
  const MOVED = { ok: false, error: { code: 'conversation_moved', message: '', retryable: false } };
  const orders = () => inbox.outbox.getSnapshot().map(({ state, reason }) => [state, reason]);

  it('is read first: the reply says what its author had seen, and is held back', async () => {
    await opened();
    inbox.send('a', 'até amanhã', 'message');
    inbox.send('a', 'só para nós', 'note');
    await settle();
    expect(sent('message:send')).toMatchObject([{ body: 'até amanhã', expectedSeq: 5 }]);
    await answer('message:send', MOVED);
    expect(orders()[0]).toEqual(['failed', 'conversation_moved']);
    expect(sent('message:send')[1]).not.toHaveProperty('expectedSeq');
  });

  it('is read first also when the thread is not there yet: its author has seen what they had read of it', async () => {
    rest.reads = [readMark('a', 4, { upTo: 3 })];
    rest.getMessages = () => new Promise(() => undefined);
    await opened();
    inbox.send('a', 'até amanhã', 'message');
    await settle();
    expect(sent('message:send')).toMatchObject([{ body: 'até amanhã', expectedSeq: 3 }]);
  });

  it('sent again on purpose, all that was held back goes, in order, with what is seen now', async () => {
    await opened();
    inbox.send('a', 'um', 'message');
    inbox.send('a', 'dois', 'message');
    await settle();
    await answer('message:send', MOVED);
    await answer('message:send', MOVED);
    socket.comes('message:new', messagePacket(message('a', 6)));
    inbox.retry(inbox.outbox.getSnapshot()[1]?.clientKey ?? '');
    await settle();
    expect(sent('message:send').slice(2)).toMatchObject([{ body: 'um', expectedSeq: 6 }]);
    expect(orders()).toEqual([
      ['sending', undefined],
      ['sending', undefined],
    ]);
  });
});

describe('changing', () => {
  it('is confirmed by the packet or the answer, whichever comes first', async () => {
    await opened();
    const key = inbox.change('a', { assigneeId: 'ana' });
    await settle();
    expect(sent('conversation:update')).toEqual([{ conversationId: 'a', clientKey: key, assigneeId: 'ana' }]);
    const row = conversation('a', 6, { assigneeId: 'ana', lastSeq: 5 });
    socket.comes('conversation:list:updated', { ...listPacket(row), clientKey: key });
    expect(inbox.outbox.getSnapshot()).toEqual([]);
    await answer('conversation:update', { ok: true, conversation: row });
    expect(inbox.state.conversations.get('a')).toEqual(row);
  });

  it('goes over REST when there is no socket', async () => {
    await opened();
    await drop();
    inbox.change('a', { status: 'resolved' });
    await settle();
    expect(rest.calls.at(-1)).toBe('patch a {"status":"resolved"}');
    expect(inbox.state.conversations.get('a')?.status).toBe('resolved');
  });

  it('refused, it is told', async () => {
    await opened();
    const told: string[] = [];
    inbox.onRefused((_, code) => told.push(code));
    inbox.change('a', { status: 'snoozed' });
    await settle();
    await answer('conversation:update', {
      ok: false,
      error: { code: 'conflict', message: '', retryable: false },
    });
    expect(told).toEqual(['conflict']);
  });
});

describe('a filter', () => {
  const ids = () => inbox.state.filtered?.shown.map(({ id }) => id);

  it('reads its own pages, and shows at once what comes to fit and no longer what does not', async () => {
    await opened();
    rest.conversations = [conversation('b', 4, { status: 'pending' })];
    inbox.filterBy({ status: 'pending' });
    expect(ids()).toEqual([]);
    await settle();
    expect(rest.calls.at(-1)).toBe('conversations first {"status":"pending"}');
    expect(ids()).toEqual(['b']);
    socket.comes('conversation:list:updated', listPacket(conversation('a', 6, { status: 'pending' })));
    expect(ids()).toEqual(['a', 'b']);
    socket.comes('conversation:list:updated', listPacket(conversation('b', 7, { status: 'resolved' })));
    expect(ids()).toEqual(['a']);
    inbox.filterBy();
    expect(inbox.state.filtered).toBeNull();
    expect(inbox.state.list.shown.map(({ id }) => id)).toEqual(['b', 'a']);
  });

  it('an answer for a filter that was left is only rows', async () => {
    await opened();
    rest.conversations = [conversation('b', 4, { status: 'pending' })];
    inbox.filterBy({ status: 'pending' });
    inbox.filterBy({ status: 'resolved' });
    await settle();
    expect(ids()).toEqual([]);
    expect(inbox.state.filtered?.loaded).toBe(true);
  });

  it('stays chosen when everything is read afresh', async () => {
    await opened();
    inbox.filterBy({ unread: true });
    await settle();
    await drop();
    await vi.advanceTimersByTimeAsync(1000);
    await connect();
    rest.conversations = [conversation('z', 2, { inboundCount: 1 })];
    await answer('clinic:join', joined('other:2', { ...rows, reset: true }));
    await settle();
    expect(ids()).toEqual(['z']);
  });
});

it('marked unread by hand, it stays so while it is looked at', async () => {
  await opened();
  socket.comes('message:new', messagePacket(message('a', 6, { ordinal: 3 })));
  socket.comes('conversation:list:updated', listPacket(conversation('a', 6, { inboundCount: 3 })));
  inbox.lookAtEnd('a');
  await settle();
  await answer('message:read', { ok: true, read: readMark('a', 7, { upTo: 6, inboundRead: 3 }) });
  inbox.markUnread('a');
  const unread = () => {
    const { state, seen } = inbox.getSnapshot();
    return state.list.shown.map((row) => unreadOf(state, seen, row));
  };
  expect(unread()).toEqual([1]);
  expect(sent('message:read').at(-1)).toMatchObject({ upTo: 5 });
  await answer('message:read', { ok: true, read: readMark('a', 8, { upTo: 5, inboundRead: 2 }) });
  expect(unread()).toEqual([1]);
  expect(sent('message:read')).toHaveLength(2);
});

describe('reading', () => {
  const inbound = (seq: number, inboundCount: number) => {
    socket.comes('message:new', messagePacket(message('a', seq, { ordinal: inboundCount })));
    socket.comes('conversation:list:updated', listPacket(conversation('a', seq, { inboundCount })));
    return settle();
  };
  const unread = () => {
    const { state, seen } = inbox.getSnapshot();
    return state.list.shown.map((row) => unreadOf(state, seen, row));
  };

  it('what comes while the end is in view is read at once, told once, and confirmed by the packet', async () => {
    await opened();
    inbox.lookAtEnd('a');
    await inbound(6, 1);
    expect(sent('message:read')).toMatchObject([{ conversationId: 'a', upTo: 5 }]);
    expect(unread()).toEqual([0]);
    await answer('message:read', { ok: true, read: readMark('a', 7, { upTo: 5 }) });
    expect(sent('message:read')).toMatchObject([{ upTo: 5 }, { upTo: 6 }]);
    const mark = readMark('a', 8, { upTo: 6, inboundRead: 1 });
    socket.comes('conversation:read', readPacket(readMark('a', 7, { upTo: 5 })));
    socket.comes('conversation:read', readPacket(mark));
    await answer('message:read', { ok: true, read: mark });
    expect(inbox.getSnapshot().seen.size).toBe(0);
    expect(unread()).toEqual([0]);
    expect(inbox.state.cursor?.seq).toBe(8);
    expect(sent('message:read')).toHaveLength(2);
  });

  it('away from the end it stays unread', async () => {
    await opened();
    await inbound(6, 1);
    expect(unread()).toEqual([1]);
    expect(sent('message:read')).toEqual([]);
  });

  it('without a socket it goes over REST; when nothing answers, again on reconnect', async () => {
    await opened();
    await drop();
    inbox.lookAtEnd('a');
    await settle();
    expect(rest.calls.at(-1)).toBe('read a 5');
    rest.down = true;
    inbox.ingest({ kind: 'message', message: message('a', 6) });
    await settle();
    expect(rest.calls.at(-1)).toBe('read a 6');
    await connect();
    expect(sent('message:read')).toMatchObject([{ conversationId: 'a', upTo: 6 }]);
  });

  it('an old conversation that comes up is counted when its mark is known, which is asked for once', async () => {
    await opened();
    rest.conversations = [conversation('old', 6, { inboundCount: 12 }), conversation('a', 5)];
    rest.reads = [readMark('old', 3, { inboundRead: 11 })];
    socket.comes('conversation:list:updated', listPacket(conversation('old', 6, { inboundCount: 12 })));
    expect(unread()).toEqual([0, 0]);
    await settle();
    expect(unread()).toEqual([1, 0]);
    const { length } = rest.calls;
    socket.comes('conversation:list:updated', listPacket(conversation('old', 7, { inboundCount: 13 })));
    await settle();
    expect(unread()).toEqual([2, 0]);
    expect(rest.calls).toHaveLength(length);
  });
});

describe('without a socket', () => {
  it('the long-poll stands in with the same cursor, and ends when the socket is back', async () => {
    await opened();
    await drop();
    await vi.advanceTimersByTimeAsync(3000);
    expect(rest.calls.at(-1)).toBe('changes e:5 [a]');
    rest.changes.at(-1)?.({
      cursor: 'e:6',
      ...rows,
      conversations: [conversation('a', 6)],
      messages: [message('a', 6)],
    });
    await settle();
    expect(bodies('a')).toEqual(['texto 5', 'texto 6']);
    expect(inbox.getSnapshot().standIn).toBe('working');
    await vi.advanceTimersByTimeAsync(500);
    expect(rest.calls.at(-1)).toBe('changes e:6 [a]');
    await connect();
    expect(inbox.getSnapshot().standIn).toBe('off');
    expect(sent('clinic:join').at(-1)).toMatchObject({ after: 'e:6' });
    const { length } = rest.calls;
    await vi.advanceTimersByTimeAsync(10_000);
    expect(rest.calls).toHaveLength(length);
    expect(rest.held).toBe(0);
  });

  it('no page is read before a cursor is there', async () => {
    inbox.openThread('a');
    await connect();
    await drop();
    await answer('clinic:join', new Error('socket has been disconnected'));
    expect(rest.calls).toEqual([]);
  });

  it('a cold start works as well: cursor, then pages', async () => {
    rest.conversations = [conversation('a', 5)];
    rest.messages = [message('a', 5)];
    rest.seq = 5;
    inbox.openThread('a');
    await vi.advanceTimersByTimeAsync(3000);
    expect(rest.calls).toEqual(['changes cold []']);
    rest.changes.at(-1)?.({ cursor: 'e:5', ...rows });
    await settle();
    expect(rest.calls.slice(1)).toEqual(['conversations first', 'messages a first']);
    expect(bodies('a')).toEqual(['texto 5']);
  });

  it('says so when nothing answers at all', async () => {
    rest.down = true;
    await vi.advanceTimersByTimeAsync(3000);
    expect(inbox.getSnapshot().standIn).toBe('failing');
    await vi.advanceTimersByTimeAsync(5000);
    expect(rest.calls).toHaveLength(2);
  });
});

it('unauthenticated on any path ends the session', async () => {
  rest.getConversations = async () => {
    throw new ApiError('unauthenticated');
  };
  await connect();
  await answer('clinic:join', joined('e:5'));
  expect(onUnauthenticated).toHaveBeenCalled();
});

it('knows until when it was true', async () => {
  await opened();
  expect(inbox.getSnapshot().trueUntil).toBeNull();
  const now = Date.now();
  await drop();
  expect(inbox.getSnapshot().trueUntil).toBe(now);
});

it('was true no longer than the server was heard, however late the end is noticed', async () => {
  await opened();
  await vi.advanceTimersByTimeAsync(25_000);
  socket.beats();
  const heard = Date.now();
  await vi.advanceTimersByTimeAsync(45_000);
  await drop();
  expect(inbox.getSnapshot().trueUntil).toBe(heard);
});

it('with a hole in it, it was not true', async () => {
  await opened();
  socket.comes('conversation:list:updated', listPacket(conversation('b', 8)));
  await drop();
  expect(inbox.getSnapshot().trueUntil).toBeNull();
});

it('a stand-in that has more to tell is not up to date', async () => {
  await opened();
  const now = Date.now();
  await drop();
  await vi.advanceTimersByTimeAsync(3000);
  rest.changes.shift()?.({ cursor: 'e:6', more: true, ...rows });
  await settle();
  expect(inbox.getSnapshot().trueUntil).toBe(now);
  rest.changes.shift()?.({ cursor: 'e:7', more: false, ...rows });
  await settle();
  expect(inbox.getSnapshot().trueUntil).toBe(Date.now());
});

it('announces patients’ messages that come live, and no others', async () => {
  await opened();
  const heard: string[] = [];
  inbox.onNews((news) => heard.push(news.conversation.lastMessage?.authorName ?? ''));
  const last = (id: string, direction: 'inbound' | 'outbound') => ({
    lastMessage: { id, kind: 'message' as const, direction, preview: '', authorName: 'Maria', at: '' },
  });
  socket.comes('conversation:list:updated', listPacket(conversation('a', 6, last('m6', 'inbound'))));
  socket.comes('conversation:list:updated', listPacket(conversation('a', 7, last('m6', 'inbound'))));
  socket.comes('conversation:list:updated', listPacket(conversation('a', 8, last('m8', 'outbound'))));
  expect(heard).toEqual(['Maria']);
});

it('stopped and started again (StrictMode) it works as before, and stopped nothing is left', async () => {
  inbox.stop();
  connection.stop();
  inbox.start();
  connection.start();
  await opened();
  expect(sent('clinic:join')).toHaveLength(1);
  inbox.stop();
  connection.stop();
  expect(socket.listenerCount).toBe(0);
  expect(vi.getTimerCount()).toBe(0);
});
