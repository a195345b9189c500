import { beforeEach, expect, it } from 'vitest';
import { Rooms } from './rooms';

let log: string[];
let rooms: Rooms;
const settled = () => Promise.resolve();

beforeEach(() => {
  log = [];
  rooms = new Rooms({
    enter: (room) => log.push(`enter ${room}`),
    leave: (room) => log.push(`leave ${room}`),
  });
});

it('enters with the first and leaves with the last', async () => {
  const first = rooms.want('a');
  const second = rooms.want('a');
  await settled();
  first();
  await settled();
  expect(log).toEqual(['enter a']);
  second();
  await settled();
  expect(log).toEqual(['enter a', 'leave a']);
});

it('mount, unmount and mount again (StrictMode) enters once', async () => {
  rooms.want('a')();
  const release = rooms.want('a');
  await settled();
  expect(log).toEqual(['enter a']);
  release();
  rooms.want('a');
  await settled();
  expect(log).toEqual(['enter a']);
});

it('releasing twice counts once', async () => {
  const release = rooms.want('a');
  rooms.want('a');
  release();
  release();
  await settled();
  expect(rooms.has('a')).toBe(true);
  expect(rooms.all()).toEqual(['a']);
});

it('going from one to the next leaves before it enters', async () => {
  const release = rooms.want('a');
  await settled();
  release();
  rooms.want('b');
  await settled();
  expect(log).toEqual(['enter a', 'leave a', 'enter b']);
});
