/** The typed REST client: addresses, parameters and bodies are those of the OpenAPI document (schema.d.ts). */
import createClient from 'openapi-fetch';
import { ApiError } from './errors';
import type { paths } from './schema';

const TIMEOUT_MS = 15_000;

/** How long a request may take, its answer's body included. */
export const within = (ms: number) => (request: Request) =>
  fetch(request, { signal: AbortSignal.any([request.signal, AbortSignal.timeout(ms)]) });

export const api = createClient<paths>({
  baseUrl: globalThis.location?.origin ?? 'http://localhost',
  fetch: within(TIMEOUT_MS),
  querySerializer: { array: { style: 'form', explode: false } },
});

interface Answer<Data> {
  data?: Data;
  error?: unknown;
  response: Response;
}

/** What was asked for. Every failure is an ApiError, except the caller's own abort. */
export async function answerOf<Data>(asked: Promise<Answer<Data>>): Promise<Data> {
  let answer: Answer<Data>;
  try {
    answer = await asked;
  } catch (error) {
    const { name } = error as Error;
    if (name === 'AbortError') throw error;
    throw new ApiError(name === 'TimeoutError' ? 'timeout' : 'network', { retryable: true });
  }
  if (answer.response.ok) return answer.data as Data;
  throw refusal(answer.response, answer.error);
}

/** RFC 9457 problem details; a proxy in between may answer with anything else. */
function refusal(response: Response, body: unknown): ApiError {
  const seconds = Number(response.headers.get('retry-after'));
  const retryAfter = Number.isFinite(seconds) && seconds > 0 ? { retryAfterMs: seconds * 1000 } : {};
  const problem = (typeof body === 'object' && body) || {};
  if ('code' in problem && typeof problem.code === 'string') {
    return new ApiError(problem.code, {
      message: 'title' in problem ? String(problem.title) : problem.code,
      retryable: 'retryable' in problem && problem.retryable === true,
      fields: 'errors' in problem && Array.isArray(problem.errors) ? problem.errors : [],
      ...retryAfter,
    });
  }
  const code = CODES[response.status] ?? (response.status >= 500 ? 'unavailable' : 'unknown');
  return new ApiError(code, { retryable: response.status >= 500, ...retryAfter });
}

const CODES: Record<number, string> = { 401: 'unauthenticated', 403: 'forbidden', 404: 'not_found' };
