// @vitest-environment jsdom
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ApiError } from '@/shared/api/errors';
import type { Message } from '@/shared/api/types';
import { Shelf } from '@/shared/lib/shelf';
import { ownMessage } from './fixtures';
import type { Order } from './orders';
import { Outbox, readOrder } from './outbox';

const wordsOf = (order: Order) => ('body' in order ? order.body : order.type);

/** A wire that answers when the test says so. */
class Wire {
  readonly sent: Order[] = [];
  readonly delivered: Message[] = [];
  #answers: { resolve: (message: Message) => void; reject: (error: ApiError) => void }[] = [];

  deliver = async (order: Order) => {
    this.sent.push(order);
    this.delivered.push(
      await new Promise<Message>((resolve, reject) => this.#answers.push({ resolve, reject })),
    );
  };

  async accept() {
    const entry = this.sent.at(-1) as Order;
    this.#answers.pop()?.resolve(ownMessage(entry.conversationId, this.sent.length, entry.clientKey));
    await vi.advanceTimersByTimeAsync(0);
  }

  async refuse(error: ApiError) {
    this.#answers.pop()?.reject(error);
    await vi.advanceTimersByTimeAsync(0);
  }

  get bodies() {
    return this.sent.map(wordsOf);
  }
}

const INVALID = new ApiError('invalid');
const OVERLOADED = new ApiError('overloaded', { retryable: true });
const NETWORK = new ApiError('network', { retryable: true });

let wire: Wire;
let outbox: Outbox;
const states = () => outbox.getSnapshot().map((order) => `${wordsOf(order)} ${order.state}`);

beforeEach(() => {
  vi.useFakeTimers();
  wire = new Wire();
  outbox = new Outbox({ deliver: wire.deliver });
});
afterEach(() => {
  outbox.stop();
  vi.useRealTimers();
});

describe('order', () => {
  it('one after the other within a conversation, side by side between conversations', async () => {
    outbox.send('a', 'um', 'message');
    outbox.send('a', 'dois', 'message');
    outbox.send('b', 'outra', 'message');
    expect(wire.bodies).toEqual(['um', 'outra']);
    await wire.accept(); // b
    await wire.accept(); // a, um: accept() answers the newest question, so this answers 'um'
    expect(wire.bodies).toEqual(['um', 'outra', 'dois']);
    await wire.accept();
    expect(outbox.getSnapshot()).toEqual([]);
    expect(wire.delivered).toHaveLength(3);
  });

  it('while nobody answers, what was written later waits behind it', async () => {
    outbox.send('a', 'um', 'message');
    outbox.send('a', 'dois', 'message');
    await wire.refuse(NETWORK);
    expect(states()).toEqual(['um waiting', 'dois sending']);
    await vi.advanceTimersByTimeAsync(1000);
    expect(wire.bodies).toEqual(['um', 'um']);
    await wire.accept();
    expect(wire.bodies).toEqual(['um', 'um', 'dois']);
  });

  it('a refused one does not hold up those behind it', async () => {
    outbox.send('a', 'um', 'message');
    outbox.send('a', 'dois', 'message');
    await wire.refuse(INVALID);
    expect(states()).toEqual(['um failed', 'dois sending']);
    expect(wire.bodies).toEqual(['um', 'dois']);
  });
});

describe('one clientKey', () => {
  it('is kept through every repetition', async () => {
    const key = outbox.send('a', 'um', 'message');
    await wire.refuse(NETWORK);
    await vi.advanceTimersByTimeAsync(1000);
    await wire.refuse(INVALID);
    outbox.retry(key);
    expect(wire.sent.map((pending) => pending.clientKey)).toEqual([key, key, key]);
  });

  it('confirms by packet before the answer; the answer then changes nothing', async () => {
    const key = outbox.send('a', 'um', 'message');
    outbox.confirm(key);
    expect(outbox.getSnapshot()).toEqual([]);
    await wire.accept();
    expect(outbox.getSnapshot()).toEqual([]);
  });

  it('confirmed by packet, a late refusal does not bring it back', async () => {
    const key = outbox.send('a', 'um', 'message');
    outbox.confirm(key);
    await wire.refuse(NETWORK);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(outbox.getSnapshot()).toEqual([]);
    expect(wire.sent).toHaveLength(1);
  });
});

describe('failing', () => {
  it('a busy server is asked four times, then the author is told', async () => {
    outbox.send('a', 'um', 'message');
    for (const delay of [1000, 2000, 4000]) {
      await wire.refuse(OVERLOADED);
      expect(states()).toEqual(['um waiting']);
      await vi.advanceTimersByTimeAsync(delay);
    }
    await wire.refuse(OVERLOADED);
    expect(outbox.getSnapshot()).toMatchObject([{ state: 'failed', reason: 'overloaded' }]);
    expect(wire.sent).toHaveLength(4);
  });

  it('Retry-After is respected', async () => {
    outbox.send('a', 'um', 'message');
    await wire.refuse(new ApiError('rate_limited', { retryable: true, retryAfterMs: 10_000 }));
    await vi.advanceTimersByTimeAsync(9999);
    expect(wire.sent).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(wire.sent).toHaveLength(2);
  });

  it('without an answer it is tried for ever, and at once when the connection is back', async () => {
    outbox.send('a', 'um', 'message');
    for (let attempt = 1; attempt <= 10; attempt++) {
      expect(wire.sent).toHaveLength(attempt);
      await wire.refuse(NETWORK);
      await vi.advanceTimersByTimeAsync(8000);
    }
    await wire.refuse(NETWORK);
    outbox.kick();
    await vi.advanceTimersByTimeAsync(0);
    expect(wire.sent).toHaveLength(12);
    expect(states()).toEqual(['um waiting']);
  });

  it('"Tentar de novo" really sends, behind what was written since', async () => {
    const key = outbox.send('a', 'um', 'message');
    await wire.refuse(INVALID);
    outbox.send('a', 'dois', 'message');
    outbox.retry(key);
    expect(states()).toEqual(['dois sending', 'um sending']);
    await wire.accept();
    expect(wire.bodies).toEqual(['um', 'dois', 'um']);
    await wire.accept();
    expect(outbox.getSnapshot()).toEqual([]);
  });

  it('what is under way is not repeated', async () => {
    const key = outbox.send('a', 'um', 'message');
    outbox.send('a', 'dois', 'message');
    outbox.retry(key);
    expect(states()).toEqual(['um sending', 'dois sending']);
    expect(wire.bodies).toEqual(['um']);
  });

  it('"Excluir" lets the next one go', async () => {
    const key = outbox.send('a', 'um', 'message');
    outbox.send('a', 'dois', 'message');
    await wire.refuse(NETWORK);
    outbox.discard(key);
    await vi.advanceTimersByTimeAsync(0);
    expect(wire.bodies).toEqual(['um', 'dois']);
  });
});

it('stopped, nothing more goes out and no timer stays; started again, it goes on', async () => {
  outbox.send('a', 'um', 'message');
  await wire.refuse(NETWORK);
  outbox.stop();
  await vi.advanceTimersByTimeAsync(0);
  expect(vi.getTimerCount()).toBe(0);
  outbox.start();
  await vi.advanceTimersByTimeAsync(0);
  expect(wire.bodies).toEqual(['um', 'um']);
});

describe('changes', () => {
  it('are carried out in their turn with the messages', async () => {
    outbox.send('a', 'pronto', 'message');
    outbox.order({ type: 'update', conversationId: 'a', change: { status: 'resolved' } });
    expect(wire.bodies).toEqual(['pronto']);
    await wire.accept();
    expect(wire.bodies).toEqual(['pronto', 'update']);
  });

  it('refused, one is taken back and its author told', async () => {
    const told: [string, string][] = [];
    outbox = new Outbox({ deliver: wire.deliver, refused: ({ type }, code) => told.push([type, code]) });
    outbox.order({ type: 'update', conversationId: 'a', change: { status: 'resolved' } });
    await wire.refuse(new ApiError('conflict'));
    expect(outbox.getSnapshot()).toEqual([]);
    expect(told).toEqual([['update', 'conflict']]);
  });
});

describe('over a reload', () => {
  const shelf = () => new Shelf('ana', 'outbox', 1, readOrder);
  const open = () => {
    outbox = new Outbox({ deliver: wire.deliver, shelf: shelf() });
    outbox.start();
    return outbox;
  };
  const reload = () => {
    outbox.stop();
    open();
  };
  afterEach(() => localStorage.clear());

  it('what waits goes out in its order and with its keys', async () => {
    open();
    const keys = ['um', 'dois', 'três'].map((body) => outbox.send('a', body, 'message'));
    await wire.refuse(NETWORK);
    reload();
    expect(outbox.getSnapshot().map(({ clientKey }) => clientKey)).toEqual(keys);
    for (const _ of keys) await wire.accept();
    expect(wire.sent.map(({ clientKey }) => clientKey)).toEqual([keys[0], ...keys]);
    expect(shelf().all()).toEqual([]);
  });

  it('what failed stays failed, for its author to decide', async () => {
    open();
    outbox.send('a', 'um', 'message');
    await wire.refuse(INVALID);
    reload();
    expect(states()).toEqual(['um failed']);
    expect(wire.bodies).toEqual(['um']);
    outbox.discard(outbox.getSnapshot()[0]?.clientKey ?? '');
    reload();
    expect(states()).toEqual([]);
  });

  it('confirmed in another tab, it is gone here', () => {
    open();
    const key = outbox.send('a', 'um', 'message');
    const stored = Object.keys(localStorage).find((each) => each.endsWith(key)) ?? '';
    window.dispatchEvent(new StorageEvent('storage', { key: stored, newValue: null }));
    expect(states()).toEqual([]);
  });

  it('a session that ended refuses nothing: it waits for the same member', async () => {
    open();
    outbox.send('a', 'um', 'message');
    await wire.refuse(new ApiError('unauthenticated'));
    reload();
    expect(states()).toEqual(['um sending']);
    await wire.accept();
    expect(wire.bodies).toEqual(['um', 'um']);
  });

  it('after a week nobody means it any more', () => {
    open();
    outbox.send('a', 'um', 'message');
    outbox.stop();
    vi.setSystemTime(Date.now() + 8 * 24 * 3600 * 1000);
    open();
    expect(states()).toEqual([]);
    expect(shelf().all()).toEqual([]);
  });
});
