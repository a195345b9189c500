/** The stand-in while there is no socket: asks the clinic for changes, again and again, held by the server. */
import { asApiError } from '@/shared/api/errors';
import type { Delta } from '@/shared/api/types';
import type { Asked } from './arrivals';

export interface LongPollOptions {
  question: () => Asked;
  ask: (asked: Asked, signal: AbortSignal) => Promise<Delta>;
  answered: (asked: Asked, delta: Delta) => void;
  failed: (code: string) => void;
}

const AFTER_FAILURE_MS = 5000;
const BETWEEN_ANSWERS_MS = 500; // should a server ever answer at once with nothing new, this is no storm

export class LongPoll {
  readonly #options: LongPollOptions;
  #stop: AbortController | undefined;

  constructor(options: LongPollOptions) {
    this.#options = options;
  }

  start() {
    if (this.#stop) return;
    this.#stop = new AbortController();
    void this.#run(this.#stop.signal);
  }

  stop() {
    this.#stop?.abort();
    this.#stop = undefined;
  }

  /** The question has changed, or its asker does not want to wait. Nothing happens while it is stopped. */
  askAnew() {
    if (!this.#stop) return;
    this.stop();
    this.start();
  }

  async #run(signal: AbortSignal) {
    while (!signal.aborted) {
      const asked = this.#options.question();
      let pauseMs = BETWEEN_ANSWERS_MS;
      try {
        const delta = await this.#options.ask(asked, signal);
        if (signal.aborted) return;
        this.#options.answered(asked, delta);
        if (delta.more) pauseMs = 0;
      } catch (error) {
        if (signal.aborted) return;
        this.#options.failed(asApiError(error).code);
        pauseMs = AFTER_FAILURE_MS;
      }
      await pause(pauseMs, signal);
    }
  }
}

function pause(ms: number, signal: AbortSignal) {
  return new Promise<void>((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
  });
}
