import { afterEach, expect, it, vi } from 'vitest';
import { request } from './http';

const answer = (response: Response | Error) => {
  const paths: string[] = [];
  vi.stubGlobal('fetch', async (path: string) => {
    paths.push(path);
    if (response instanceof Error) throw response;
    return response;
  });
  return paths;
};
afterEach(() => vi.unstubAllGlobals());

const problem = (status: number, body: object, headers: Record<string, string> = {}) =>
  new Response(JSON.stringify(body), { status, headers });

it.each([
  [
    'a problem by its code',
    problem(409, { code: 'conversation_moved' }),
    { code: 'conversation_moved', retryable: false },
  ],
  [
    'a retryable problem',
    problem(503, { code: 'overloaded', retryable: true }),
    { code: 'overloaded', retryable: true },
  ],
  [
    'how long to wait',
    problem(429, { code: 'rate_limited' }, { 'retry-after': '7' }),
    { code: 'rate_limited', retryAfterMs: 7000 },
  ],
  [
    'a proxy’s page by its status',
    new Response('<html>', { status: 502 }),
    { code: 'unavailable', retryable: true },
  ],
  ['a bare 401', new Response('', { status: 401 }), { code: 'unauthenticated', retryable: false }],
  ['no answer at all', new TypeError('Failed to fetch'), { code: 'network', retryable: true }],
  ['half an answer', new Response('{"items": [', { status: 200 }), { code: 'network', retryable: true }],
])('tells %s', async (_, response, error) => {
  answer(response);
  await expect(request('/api/v1/me')).rejects.toMatchObject(error);
});

it('204 is an answer without a body', async () => {
  answer(new Response(null, { status: 204 }));
  await expect(request('/api/v1/auth/logout', { method: 'POST' })).resolves.toBeUndefined();
});

it('asks with what has a value', async () => {
  const paths = answer(new Response('{}'));
  await request('/x', { query: { limit: 50, before: null, after: 'e:1', conversationIds: '' } });
  expect(paths).toEqual(['/x?limit=50&after=e%3A1']);
});

it('the caller’s own abort stays an abort', async () => {
  const stop = new AbortController();
  vi.stubGlobal('fetch', async (_: string, { signal }: RequestInit) => {
    stop.abort();
    throw signal?.reason;
  });
  await expect(request('/x', { signal: stop.signal })).rejects.toMatchObject({ name: 'AbortError' });
});
