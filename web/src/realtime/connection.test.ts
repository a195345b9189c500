// @vitest-environment jsdom
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { HELD_AFTER_MS, OFFLINE_RETRY_MS, RETRY_DELAYS_MS, RealtimeConnection } from './connection';
import { FakeSocket } from './fakeSocket';

let socket: FakeSocket;
let connection: RealtimeConnection;
let random: number;
const onUnauthenticated = vi.fn();
const onClinicNotFound = vi.fn();

const refused = (code = 'unavailable') =>
  Object.assign(new Error('recusada'), { data: { code, retryable: true } });
const status = () => connection.getSnapshot().status;

beforeEach(() => {
  vi.useFakeTimers();
  onUnauthenticated.mockClear();
  onClinicNotFound.mockClear();
  random = 0;
  socket = new FakeSocket();
  connection = new RealtimeConnection({
    clinicId: 1,
    onUnauthenticated,
    onClinicNotFound,
    createSocket: socket.asSocket,
    random: () => random,
  });
});
afterEach(() => {
  connection.stop();
  vi.useRealTimers();
});

/** Expects the next attempt after exactly `ms`. */
function nextAttemptAfter(ms: number) {
  const { connects } = socket;
  vi.advanceTimersByTime(ms - 1);
  expect(socket.connects).toBe(connects);
  vi.advanceTimersByTime(1);
  expect(socket.connects).toBe(connects + 1);
}

function exhaust() {
  for (const delay of RETRY_DELAYS_MS) {
    socket.comes('connect_error', refused());
    nextAttemptAfter(delay);
  }
  socket.comes('connect_error', refused());
}

describe('the schedule', () => {
  it('retries after 1, 2, 4, 8 and 16 s, then goes offline and tries every 30 s for ever', () => {
    connection.start();
    expect(socket.connects).toBe(1);
    exhaust();
    expect(connection.getSnapshot()).toMatchObject({ status: 'error', error: 'unavailable' });
    for (let round = 0; round < 20; round++) {
      nextAttemptAfter(OFFLINE_RETRY_MS);
      expect(status()).toBe('error');
      socket.comes('connect_error', refused());
    }
  });

  it('spreads by up to 20 %, never earlier', () => {
    random = 1;
    connection.start();
    socket.comes('connect_error', refused());
    nextAttemptAfter(1200);
  });

  it('says when the next attempt comes', () => {
    connection.start();
    socket.comes('connect_error', refused());
    expect(connection.getSnapshot()).toMatchObject({ retryAt: Date.now() + 1000, attempt: 1 });
    vi.advanceTimersByTime(1000);
    expect(connection.getSnapshot().retryAt).toBeNull();
  });

  it('covers a kick by the server', () => {
    connection.start();
    socket.comes('connect');
    socket.comes('disconnect', 'io server disconnect');
    expect(status()).toBe('connecting');
    nextAttemptAfter(1000);
  });

  it('a connection that flaps does not get its attempts back', () => {
    connection.start();
    for (const delay of RETRY_DELAYS_MS) {
      socket.comes('connect');
      vi.advanceTimersByTime(HELD_AFTER_MS - 1);
      socket.comes('disconnect', 'transport close');
      nextAttemptAfter(delay);
    }
    socket.comes('connect');
    socket.comes('disconnect', 'transport close');
    expect(status()).toBe('error');
  });

  it('a connection that held 5 s does', () => {
    connection.start();
    socket.comes('connect_error', refused());
    nextAttemptAfter(1000);
    socket.comes('connect');
    vi.advanceTimersByTime(HELD_AFTER_MS);
    expect(connection.getSnapshot().attempt).toBe(0);
    socket.comes('disconnect', 'transport close');
    nextAttemptAfter(1000);
  });

  it('an attempt that hears nothing is given up', () => {
    connection.start();
    vi.advanceTimersByTime(12_000);
    expect(socket.disconnects).toBe(1);
    expect(connection.getSnapshot()).toMatchObject({ status: 'connecting', error: 'timeout' });
    nextAttemptAfter(1000);
  });

  it('one end that is reported twice counts once', () => {
    connection.start();
    socket.comes('connect');
    socket.comes('disconnect', 'transport error');
    socket.comes('connect_error', refused());
    expect(connection.getSnapshot().attempt).toBe(1);
  });

  it('server:draining names the moment, and costs no attempt', () => {
    connection.start();
    socket.comes('connect');
    socket.comes('server:draining', { reconnectInMs: 3456 });
    expect(status()).toBe('connected');
    socket.comes('disconnect', 'io server disconnect');
    expect(connection.getSnapshot()).toMatchObject({ status: 'connecting', attempt: 0 });
    nextAttemptAfter(3456);
    socket.comes('connect_error', refused());
    nextAttemptAfter(1000);
  });

  it('who is let go at the moment named comes back at once', () => {
    connection.start();
    socket.comes('connect');
    socket.comes('server:draining', { reconnectInMs: 3456 });
    vi.advanceTimersByTime(3456);
    expect(status()).toBe('connected');
    const { connects } = socket;
    socket.comes('disconnect', 'transport close');
    vi.advanceTimersByTime(0);
    expect(socket.connects).toBe(connects + 1);
  });
});

describe('waking', () => {
  const wakes: [string, () => void][] = [
    ['the button', () => connection.wake()],
    ['the network', () => window.dispatchEvent(new Event('online'))],
    ['the tab', () => document.dispatchEvent(new Event('visibilitychange'))],
  ];

  it.each(wakes)('%s tries at once, with five new attempts', (_, wake) => {
    connection.start();
    exhaust();
    const { connects } = socket;
    wake();
    expect(socket.connects).toBe(connects + 1);
    expect(connection.getSnapshot()).toMatchObject({ status: 'connecting', attempt: 0, retryAt: null });
    socket.comes('connect_error', refused());
    nextAttemptAfter(1000);
  });

  it.each(wakes)('%s disturbs neither a connection nor an attempt', (_, wake) => {
    connection.start();
    wake();
    socket.comes('connect');
    wake();
    expect(socket.connects).toBe(1);
    expect(status()).toBe('connected');
  });
});

/** The clock goes on, timers do not: they count on where they stood. */
function sleep() {
  vi.setSystemTime(Date.now() + 3_600_000);
  vi.advanceTimersByTime(5000);
}

describe('a connection that may be dead', () => {
  const doubts: [string, () => void][] = [
    ['the network went', () => window.dispatchEvent(new Event('offline'))],
    ['the network came', () => window.dispatchEvent(new Event('online'))],
    ['the tab is shown again', () => document.dispatchEvent(new Event('visibilitychange'))],
    ['the computer slept', sleep],
  ];
  beforeEach(() => {
    connection.start();
    socket.comes('connect');
  });

  it.each(doubts)('%s: it is asked once, and given up when nobody answers', async (_, doubt) => {
    doubt();
    doubt();
    expect(socket.sent.map(({ name }) => name)).toEqual(['clinic:join']);
    socket.sent[0]?.ack(new Error('operation has timed out'));
    await vi.advanceTimersByTimeAsync(0);
    expect(connection.getSnapshot()).toMatchObject({ status: 'connecting', error: 'timeout', attempt: 1 });
    expect(socket.disconnects).toBe(1);
    await vi.advanceTimersByTimeAsync(1000);
    expect(socket.connects).toBe(2);
  });

  it.each(doubts)('%s: it is kept when somebody answers, whatever the answer', async (_, doubt) => {
    doubt();
    socket.sent[0]?.ack(null, { ok: false, error: { code: 'overloaded', message: '', retryable: true } });
    await vi.advanceTimersByTimeAsync(0);
    expect(status()).toBe('connected');
    doubt();
    expect(socket.sent).toHaveLength(2);
  });
});

it('a computer that slept tries again at once', () => {
  connection.start();
  exhaust();
  const { connects } = socket;
  sleep();
  expect(socket.connects).toBe(connects + 1);
});

it('a clock that goes on as it should asks nothing', () => {
  connection.start();
  socket.comes('connect');
  vi.advanceTimersByTime(3_600_000);
  expect(socket.sent).toEqual([]);
});

describe('the end', () => {
  it('unauthenticated ends the session, not in retries', () => {
    connection.start();
    socket.comes('connect_error', refused('unauthenticated'));
    expect(onUnauthenticated).toHaveBeenCalledOnce();
    expect(status()).toBe('disconnected');
    vi.advanceTimersByTime(120_000);
    expect(socket.connects).toBe(1);
  });

  it('a clinic that is not found is told, while attempts go on', () => {
    connection.start();
    socket.comes('connect_error', refused());
    expect(onClinicNotFound).not.toHaveBeenCalled();
    nextAttemptAfter(1000);
    socket.comes('connect_error', refused('not_found'));
    expect(onClinicNotFound).toHaveBeenCalledOnce();
    expect(onUnauthenticated).not.toHaveBeenCalled();
    nextAttemptAfter(2000);
  });

  it('stopped by who was told that the clinic is not found, nothing is left', () => {
    onClinicNotFound.mockImplementationOnce(() => connection.stop());
    connection.start();
    socket.comes('connect_error', refused('not_found'));
    expect(vi.getTimerCount()).toBe(0);
  });

  it('no listener and no timer survives stop, in any state', () => {
    const states: (() => void)[] = [
      () => undefined,
      () => socket.comes('connect'),
      () => socket.comes('connect_error', refused()),
      exhaust,
    ];
    for (const reach of states) {
      connection.start();
      reach();
      connection.stop();
      expect(vi.getTimerCount()).toBe(0);
      expect(socket.listenerCount).toBe(0);
    }
    const { connects } = socket;
    window.dispatchEvent(new Event('online'));
    document.dispatchEvent(new Event('visibilitychange'));
    expect(socket.connects).toBe(connects);
  });
});

describe('requests', () => {
  beforeEach(() => {
    connection.start();
    socket.comes('connect');
  });
  const ask = () => connection.request('conversation:leave', { conversationId: 'a' });

  it('resolves with what the acknowledgement adds', async () => {
    const asked = connection.request('conversation:join', { conversationId: 'a' });
    socket.sent[0]?.ack(null, { ok: true, cursor: 'e:1' });
    await expect(asked).resolves.toMatchObject({ cursor: 'e:1' });
  });

  it('rejects with the refusal', async () => {
    const asked = ask();
    socket.sent[0]?.ack(null, { ok: false, error: { code: 'forbidden', message: 'não', retryable: false } });
    await expect(asked).rejects.toMatchObject({ code: 'forbidden', retryable: false });
  });

  it('tells silence from a lost connection, and sends nothing without one', async () => {
    const silent = ask();
    socket.sent[0]?.ack(new Error('operation has timed out'));
    await expect(silent).rejects.toMatchObject({ code: 'timeout', retryable: true });
    const lost = ask();
    socket.comes('disconnect', 'transport close');
    socket.sent[1]?.ack(new Error('socket has been disconnected'));
    await expect(lost).rejects.toMatchObject({ code: 'disconnected' });
    await expect(ask()).rejects.toMatchObject({ code: 'disconnected' });
    expect(socket.sent).toHaveLength(2);
  });
});
