// @vitest-environment jsdom
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Shelf } from '@/shared/lib/shelf';
import { Session } from './session';
import type { Notice, Tabs } from './tabs';

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

it('renewed, it knows the clinics of now; without an answer all stays, and refused it has ended', async () => {
  answer(new Response(JSON.stringify(ME)));
  const session = new Session();
  await session.begin();
  answer(new Response(JSON.stringify({ ...ME, clinics: [{ id: 2, name: 'Outra', role: 'agent' }] })));
  await session.renew();
  expect(session.getSnapshot()).toMatchObject({ phase: 'signedIn', me: { clinics: [{ id: 2 }] } });
  answer(new TypeError('Failed to fetch'));
  await session.renew();
  expect(session.getSnapshot()).toMatchObject({ phase: 'signedIn', me: { clinics: [{ id: 2 }] } });
  answer(new Response(JSON.stringify({ code: 'unauthenticated' }), { status: 401 }));
  await session.renew();
  expect(session.getSnapshot()).toEqual({ phase: 'signedOut', ended: true });
  answer(new Response(JSON.stringify(ME)));
  await session.renew();
  expect(session.getSnapshot().phase).toBe('signedOut');
});

describe('tabs of one browser', () => {
  /** Two that hear each other. */
  function pair(): [Tabs, Tabs] {
    const ears: ((notice: Notice) => void)[] = [];
    const tab = (own: number): Tabs => ({
      tell: (notice) => ears[1 - own]?.(notice),
      heard: (hear) => {
        ears[own] = hear;
      },
    });
    return [tab(0), tab(1)];
  }
  const bia = { ...ME, member: { id: 'bia', name: 'Bia', email: 'b@b' } };
  afterEach(() => localStorage.clear());

  async function both() {
    answer(new Response(JSON.stringify(ME)));
    const [one, other] = pair().map((tabs) => new Session(tabs)) as [Session, Session];
    await one.begin();
    answer(new Response(JSON.stringify(ME)));
    await other.begin();
    return { one, other };
  }

  it('leaving one leaves all, and takes along what was kept of the member, and nobody else’s', async () => {
    const { one, other } = await both();
    const kept = (memberId: string) => new Shelf<string>(memberId, 'draft', 1, String);
    kept('ana').put('a', 'meia frase');
    kept('bia').put('a', 'outra');
    answer(new Response(null, { status: 204 }));
    await one.signOut();
    expect(other.getSnapshot()).toEqual({ phase: 'signedOut', ended: false });
    expect(kept('ana').all()).toEqual([]);
    expect(kept('bia').all()).toEqual(['outra']);
  });

  it('a session that ended by itself keeps what its member had not sent', async () => {
    const { one } = await both();
    const kept = new Shelf<string>('ana', 'outbox', 1, String);
    kept.put('a', 'não enviada');
    one.ended();
    expect(kept.all()).toEqual(['não enviada']);
  });

  it('somebody else who enters in one tab is asked for in the others', async () => {
    const { one, other } = await both();
    vi.stubGlobal('fetch', async () => new Response(JSON.stringify(bia)));
    await one.signIn('b@b', 'segredo');
    await vi.waitFor(() => expect(other.getSnapshot()).toMatchObject({ me: { member: { id: 'bia' } } }));
  });
});
