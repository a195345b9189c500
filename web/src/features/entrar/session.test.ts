import { afterEach, expect, it, vi } from 'vitest';
import { Session } from './session';

const ME = {
  member: { id: 'ana', name: 'Ana', email: 'a@b' },
  clinics: [],
  expiresAt: '2026-11-24T00:00:00Z',
};
const answer = (response: Response | Error) =>
  vi.stubGlobal('fetch', async () => {
    if (response instanceof Error) throw response;
    return response;
  });
afterEach(() => vi.unstubAllGlobals());

it.each([
  ['signedIn', new Response(JSON.stringify(ME))],
  ['signedOut', new Response(JSON.stringify({ code: 'unauthenticated' }), { status: 401 })],
  ['unreachable', new TypeError('Failed to fetch')],
  ['unreachable', new Response('', { status: 503 })],
])('begins %s by what the server says of the cookie', async (phase, response) => {
  answer(response);
  const session = new Session();
  await session.begin();
  expect(session.getSnapshot().phase).toBe(phase);
});

it('a session ended by the server is told from one that was left', async () => {
  answer(new Response(JSON.stringify(ME)));
  const session = new Session();
  await session.begin();
  session.ended();
  expect(session.getSnapshot()).toEqual({ phase: 'signedOut', ended: true });
  answer(new TypeError('Failed to fetch'));
  await session.signOut();
  expect(session.getSnapshot()).toEqual({ phase: 'signedOut', ended: false });
});
