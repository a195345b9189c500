import { ApiError } from './errors';

const TIMEOUT_MS = 15_000;

export interface HttpRequest {
  method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  body?: unknown;
  /** A command's key, where it has no body to carry it. */
  clientKey?: string;
  query?: Record<string, string | number | null | undefined>;
  signal?: AbortSignal;
  timeoutMs?: number;
}

/** One request to the REST API with the session cookie. Every failure is an ApiError, except the caller's own abort. */
export async function request<T>(path: string, options: HttpRequest = {}): Promise<T> {
  const timeout = AbortSignal.timeout(options.timeoutMs ?? TIMEOUT_MS);
  const signal = options.signal ? AbortSignal.any([options.signal, timeout]) : timeout;
  let response: Response;
  try {
    response = await fetch(withQuery(path, options.query), {
      method: options.method ?? 'GET',
      signal,
      ...(options.body !== undefined && {
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(options.body),
      }),
      ...(options.clientKey !== undefined && { headers: { 'idempotency-key': options.clientKey } }),
    });
    if (response.ok) return (response.status === 204 ? undefined : await response.json()) as T;
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new ApiError(timeout.aborted ? 'timeout' : 'network', { retryable: true });
  }
  throw await refusal(response);
}

function withQuery(path: string, query: HttpRequest['query'] = {}): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== '') parameters.set(name, String(value));
  }
  return parameters.size ? `${path}?${parameters}` : path;
}

/** RFC 9457 problem details; a proxy in between may answer with anything else. */
async function refusal(response: Response): Promise<ApiError> {
  const seconds = Number(response.headers.get('retry-after'));
  const retryAfter = Number.isFinite(seconds) && seconds > 0 ? { retryAfterMs: seconds * 1000 } : {};
  try {
    const problem = await response.json();
    if (typeof problem.code === 'string') {
      return new ApiError(problem.code, {
        message: problem.title ?? problem.code,
        retryable: problem.retryable === true,
        fields: Array.isArray(problem.errors) ? problem.errors : [],
        ...retryAfter,
      });
    }
  } catch {
    // not JSON: judged by its status below
  }
  const code = CODES[response.status] ?? (response.status >= 500 ? 'unavailable' : 'unknown');
  return new ApiError(code, { retryable: response.status >= 500, ...retryAfter });
}

const CODES: Record<number, string> = { 401: 'unauthenticated', 403: 'forbidden', 404: 'not_found' };
