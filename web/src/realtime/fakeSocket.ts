/** A Socket.IO client for tests: what was sent is seen, what comes is said by the test. */
import type { SocketLike } from './socket';

type Handler = (...args: never[]) => void;
type Ack = (lost: Error | null, answer?: unknown) => void;

export class FakeSocket {
  connected = false;
  connects = 0;
  disconnects = 0;
  readonly sent: { name: string; payload: unknown; ack: Ack }[] = [];
  readonly #handlers = new Map<string, Set<Handler>>();
  #heartbeat: () => void = () => undefined;
  readonly io = {
    engine: {
      once: () => undefined,
      on: (name: string, handler: () => void) => {
        if (name === 'packet') this.#heartbeat = handler;
      },
    },
  };

  asSocket = () => this as unknown as SocketLike;

  on(name: string, handler: Handler) {
    const known = this.#handlers.get(name) ?? new Set();
    this.#handlers.set(name, known.add(handler));
    return this;
  }

  off(name: string, handler: Handler) {
    this.#handlers.get(name)?.delete(handler);
    return this;
  }

  connect() {
    this.connects++;
    return this;
  }

  disconnect() {
    this.disconnects++;
    this.connected = false;
    return this;
  }

  timeout() {
    return this;
  }

  emit(name: string, payload: unknown, ack: Ack) {
    this.sent.push({ name, payload, ack });
    return this;
  }

  /** The server has sent something, if only to say that it is there. */
  beats() {
    this.#heartbeat();
  }

  /** Plays an event of the client (`connect`, `disconnect`, …) or of the server. */
  comes(name: string, payload?: unknown) {
    if (name === 'connect') this.connected = true;
    if (name === 'disconnect') this.connected = false;
    for (const handler of this.#handlers.get(name) ?? []) (handler as (payload: unknown) => void)(payload);
  }

  get listenerCount() {
    return [...this.#handlers.values()].reduce((sum, handlers) => sum + handlers.size, 0);
  }
}
