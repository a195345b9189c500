// @vitest-environment jsdom
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { ApiError } from '@/shared/api/errors';
import type { ReadOrder } from '@/shared/api/types';
import { ReadMarks } from './readMarks';
import type { End, Seen } from './unread';

const UNANSWERED = new ApiError('disconnected', { retryable: true });

let end: End | undefined;
let seen: Seen;
let orders: (ReadOrder & { done: () => void; fail: (error: Error) => void })[];
let marks: ReadMarks;

beforeEach(() => {
  vi.useFakeTimers();
  show('visible');
  end = undefined;
  seen = new Map();
  orders = [];
  marks = new ReadMarks({
    endOf: () => end,
    deliver: (order) => new Promise((done, fail) => orders.push({ ...order, done, fail })),
    seenChanged: (now) => (seen = now),
  });
  marks.start();
});
afterEach(() => {
  marks.stop();
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const settle = () => vi.advanceTimersByTimeAsync(0);
const upTo = () => orders.map((order) => order.upTo);
function show(state: DocumentVisibilityState) {
  vi.spyOn(document, 'visibilityState', 'get').mockReturnValue(state);
  document.dispatchEvent(new Event('visibilitychange'));
}
const comes = (newest: number) => {
  end = { upTo: newest, ordinal: newest, marked: false };
  marks.tend();
};

it('marks what stands at the end when it is looked at, and what comes while it is', async () => {
  comes(5);
  expect(orders).toEqual([]);
  marks.look('a');
  expect(upTo()).toEqual([5]);
  expect(seen).toEqual(new Map([['a', 5]]));
  orders[0]?.done();
  await settle();
  expect(seen.size).toBe(0);
  comes(6);
  expect(upTo()).toEqual([5, 6]);
});

it('says nothing in a hidden tab, and marks as soon as it is shown', () => {
  show('hidden');
  marks.look('a');
  comes(5);
  expect(orders).toEqual([]);
  show('visible');
  expect(upTo()).toEqual([5]);
});

it('one order at a time; of those that wait the newest goes', async () => {
  marks.look('a');
  for (const seq of [5, 6, 7]) comes(seq);
  expect(upTo()).toEqual([5]);
  expect(seen.get('a')).toBe(7);
  orders[0]?.done();
  await settle();
  expect(upTo()).toEqual([5, 7]);
});

it('asks once per newest message: a mark that goes back by somebody’s will stays back', async () => {
  const stop = marks.look('a');
  comes(5);
  orders[0]?.done();
  await settle();
  for (let times = 0; times < 5; times++) comes(5);
  expect(upTo()).toEqual([5]);
  stop();
  marks.look('a');
  expect(upTo()).toEqual([5, 5]);
});

it('leaving the end and coming back while the order is on its way asks no second time', async () => {
  const stop = marks.look('a');
  comes(5);
  stop();
  marks.look('a');
  orders[0]?.done();
  await settle();
  expect(upTo()).toEqual([5]);
});

it('a mark that was up to date at opening and goes back stays back, too', () => {
  end = { upTo: 5, ordinal: 5, marked: true };
  marks.look('a');
  comes(5);
  expect(orders).toEqual([]);
  comes(6);
  expect(upTo()).toEqual([6]);
});

it('unanswered, it goes again with the same clientKey, at once when the connection is back', async () => {
  marks.look('a');
  comes(5);
  orders[0]?.fail(UNANSWERED);
  await vi.advanceTimersByTimeAsync(999);
  expect(orders).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(1);
  orders[1]?.fail(UNANSWERED);
  await settle();
  marks.kick();
  await settle();
  expect(upTo()).toEqual([5, 5, 5]);
  expect(new Set(orders.map((order) => order.clientKey)).size).toBe(1);
  expect(seen.get('a')).toBe(5);
});

it('refused, it is given up, and nothing pretends to be read', async () => {
  marks.look('a');
  comes(5);
  orders[0]?.fail(new ApiError('forbidden'));
  await vi.advanceTimersByTimeAsync(60_000);
  expect(orders).toHaveLength(1);
  expect(seen.size).toBe(0);
});

it('another history forgets what was asked; stopped, nothing is left', async () => {
  marks.look('a');
  comes(5);
  orders[0]?.fail(UNANSWERED);
  await settle();
  marks.forget();
  await settle();
  expect(seen.size).toBe(0);
  comes(2);
  expect(upTo()).toEqual([5, 2]);
  orders[1]?.fail(UNANSWERED);
  await settle();
  marks.stop();
  await settle();
  expect(vi.getTimerCount()).toBe(0);
  expect(upTo()).toEqual([5, 2]);
});
