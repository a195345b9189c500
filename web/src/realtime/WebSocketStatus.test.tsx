// @vitest-environment jsdom
import { act, render, screen } from '@testing-library/react';
import { StrictMode } from 'react';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { RealtimeConnection } from './connection';
import { FakeSocket } from './fakeSocket';
import { RealtimeProvider } from './useWebSocket';
import { WebSocketStatus } from './WebSocketStatus';

let socket: FakeSocket;
let connection: RealtimeConnection;

beforeEach(() => {
  vi.useFakeTimers();
  socket = new FakeSocket();
  connection = new RealtimeConnection({ clinicId: 1, createSocket: socket.asSocket, random: () => 0 });
});
afterEach(() => vi.useRealTimers());

const show = (trueUntil: number | null = null) =>
  render(
    <StrictMode>
      <RealtimeProvider connection={connection}>
        <WebSocketStatus trueUntil={trueUntil} standIn="off" />
      </RealtimeProvider>
    </StrictMode>,
  );
const badge = () => screen.getByRole('status');
const pass = (ms: number) => act(() => vi.advanceTimersByTime(ms));
const comes = (name: string, payload?: unknown) => act(() => socket.comes(name, payload));

it('says each state in words', () => {
  show();
  comes('connect');
  expect(badge()).toHaveTextContent('Tempo Real');
  expect(badge()).toHaveAttribute('data-status', 'connected');
  comes('disconnect', 'transport close');
  pass(1500);
  expect(badge()).toHaveTextContent('Conectando…');
  for (let attempt = 0; attempt < 6; attempt++) {
    pass(20_000);
    comes('connect_error', new Error('recusada'));
  }
  expect(badge()).toHaveTextContent('Modo Offline');
  expect(badge()).toHaveAttribute('data-status', 'error');
  expect(screen.getByRole('button', { name: 'Tentar agora' })).toBeInTheDocument();
  act(() => connection.stop());
  expect(badge()).toHaveTextContent('Desconectado');
});

it('connected, and still without what it missed, says how old the screen is', () => {
  vi.setSystemTime(new Date(2026, 10, 23, 12, 0));
  show(new Date(2026, 10, 23, 10, 42, 7).getTime());
  comes('connect');
  pass(1499);
  expect(screen.queryByText('em dia até 10:42:07')).not.toBeInTheDocument();
  pass(1);
  expect(screen.getByText('em dia até 10:42:07')).toBeInTheDocument();
});

it('of a day that is over it says which', () => {
  vi.setSystemTime(new Date(2026, 10, 24, 8, 0));
  show(new Date(2026, 10, 23, 18, 5).getTime());
  comes('connect');
  pass(1500);
  expect(screen.getByText('em dia até 23/11 18:05')).toBeInTheDocument();
});

it.each([
  ['websocket error', undefined, 'O servidor não foi encontrado.'],
  ['Too many connections', 'too_many_connections', 'Há telas demais abertas com este acesso. Feche algumas.'],
])('says in our words why: %s', (message, code, words) => {
  show();
  for (let attempt = 0; attempt < 6; attempt++) {
    pass(20_000);
    comes('connect_error', Object.assign(new Error(message), code && { data: { code } }));
  }
  expect(screen.getByText(words)).toHaveAttribute('data-part', 'error');
});

it('a blip shows no yellow', () => {
  show();
  comes('connect');
  comes('disconnect', 'transport close');
  pass(1499);
  expect(badge()).toHaveTextContent('Tempo Real');
  comes('connect');
  pass(5000);
  expect(badge()).toHaveTextContent('Tempo Real');
});

it('says nothing in the first moment, when nothing is known', () => {
  show();
  expect(badge()).toHaveTextContent('');
  pass(1500);
  expect(badge()).toHaveTextContent('Conectando…');
});

it('counts the clinic’s connections', () => {
  show();
  comes('connect');
  comes('clinic:connections', { count: 3 });
  expect(screen.getByText('3 conexões')).toBeInTheDocument();
});

it('under StrictMode one socket is open, and after unmounting nothing is left', () => {
  const added = vi.spyOn(window, 'addEventListener');
  const removed = vi.spyOn(window, 'removeEventListener');
  const { unmount } = show();
  comes('connect');
  unmount();
  expect(socket.listenerCount).toBe(0);
  expect(vi.getTimerCount()).toBe(0);
  expect(socket.connected).toBe(false);
  const online = (calls: unknown[][]) => calls.filter(([name]) => name === 'online').length;
  expect(online(added.mock.calls)).toBe(2);
  expect(online(removed.mock.calls)).toBe(2);
});
