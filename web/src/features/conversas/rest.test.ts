import { afterEach, expect, it, vi } from 'vitest';
import { getClinic, getConversations, getMessages } from './rest';

const asked: Request[] = [];
const stubbed = () =>
  vi.stubGlobal('fetch', async (request: Request) => asked.push(request) && new Response('{}'));
afterEach(() => {
  vi.unstubAllGlobals();
  asked.length = 0;
});

it.each([
  ['a list', (seen: string | null) => getConversations(1, { before: null, seen })],
  ['a thread', (seen: string | null) => getMessages('a', { before: null, seen })],
  ['a clinic', (seen: string | null) => getClinic(1, seen)],
])('%s is asked for as of what was seen, if anything was', async (_, get) => {
  stubbed();
  await get('e:5');
  await get(null);
  expect(asked.map(({ headers }) => headers.get('recado-after'))).toEqual(['e:5', null]);
});
