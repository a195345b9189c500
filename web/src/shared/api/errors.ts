export interface FieldError {
  path: string;
  code: string;
}

interface ApiErrorOptions {
  message?: string;
  retryable?: boolean;
  retryAfterMs?: number;
  fields?: readonly FieldError[];
}

/**
 * One error for everything the server may refuse, over REST or the socket.
 * `code` is the server's stable code, or one of ours: `network` (no answer at all), `timeout`, `disconnected`.
 */
export class ApiError extends Error {
  readonly code: string;
  readonly retryable: boolean;
  readonly retryAfterMs: number | undefined;
  /** Which fields were refused, by path and code. */
  readonly fields: readonly FieldError[];

  constructor(code: string, options: ApiErrorOptions = {}) {
    super(options.message ?? code);
    this.name = 'ApiError';
    this.code = code;
    this.retryable = options.retryable ?? false;
    this.retryAfterMs = options.retryAfterMs;
    this.fields = options.fields ?? [];
  }
}

const NOBODY_ANSWERED = new Set(['network', 'timeout', 'disconnected']);

/** The request may or may not have arrived: nobody answered. */
export const wasUnanswered = (error: ApiError) => NOBODY_ANSWERED.has(error.code);

export function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  return new ApiError('internal', { message: error instanceof Error ? error.message : 'unknown error' });
}
