import { afterEach, expect, it, vi } from 'vitest';
import { answerOf, api } from './client';

const answer = (response: Response | Error) => {
  const paths: string[] = [];
  vi.stubGlobal('fetch', async ({ url }: Request) => {
    paths.push(url);
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
  await expect(answerOf(api.GET('/api/v1/me'))).rejects.toMatchObject(error);
});

it('204 is an answer without a body', async () => {
  answer(new Response(null, { status: 204 }));
  await expect(answerOf(api.POST('/api/v1/auth/logout'))).resolves.toBeUndefined();
});

it('asks with what has a value, and joins what are several', async () => {
  const paths = answer(new Response('{}'));
  await answerOf(
    api.GET('/api/v1/clinics/{clinicId}/changes', {
      params: { path: { clinicId: 1 }, query: { after: 'e:1', conversationIds: ['a', 'b'] } },
    }),
  );
  expect(paths).toEqual(['http://localhost/api/v1/clinics/1/changes?after=e%3A1&conversationIds=a,b']);
});

it('the caller’s own abort stays an abort', async () => {
  const stop = new AbortController();
  vi.stubGlobal('fetch', async (_: Request, { signal }: RequestInit) => {
    stop.abort();
    throw signal?.reason;
  });
  await expect(answerOf(api.GET('/api/v1/me', { signal: stop.signal }))).rejects.toMatchObject({
    name: 'AbortError',
  });
});
