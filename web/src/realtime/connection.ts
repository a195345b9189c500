/**
 * The one connection of this tab: when to connect, when to try again, and what to say about it.
 * It knows the socket and the clock, no feature and no React. States and schedule: web/README.md.
 */
import { ApiError, asApiError } from '@/shared/api/errors';
import { Listeners } from '@/shared/lib/listeners';
import type { Acknowledgement, ClientEvents, ServerEvents } from './events';
import { createSocket, type SocketLike } from './socket';

export type ConnectionStatus = 'disconnected' | 'connecting' | 'connected' | 'error';

export interface ConnectionSnapshot {
  status: ConnectionStatus;
  /** What the last failure said, in the words of whoever said it. */
  error: string | null;
  /** Fast attempts used up; given back to a connection that held. */
  attempt: number;
  /** When the next attempt starts (ms since 1970), null while one runs or none is planned. */
  retryAt: number | null;
  /** How many sockets the clinic has open, this one included. */
  clinicConnections: number | null;
  /** What the server said it is, once it did: a newer one than this page asks for a reload. */
  serverVersion: string | null;
}

export const RETRY_DELAYS_MS = [1000, 2000, 4000, 8000, 16_000] as const;
export const OFFLINE_RETRY_MS = 30_000;
export const HELD_AFTER_MS = 5000;
const ATTEMPT_TIMEOUT_MS = 12_000;
const ACK_TIMEOUT_MS = 8000;
const PROBE_TIMEOUT_MS = 4000;
const LOOK_AROUND_MS = 5000;
const SLEPT_MS = 20_000; // a clock that jumps by more has stood still with its computer
const JITTER = 0.2; // many screens of one clinic return after a restart; never earlier than the schedule says

const AT_REST: ConnectionSnapshot = {
  status: 'disconnected',
  error: null,
  attempt: 0,
  retryAt: null,
  clinicConnections: null,
  serverVersion: null,
};

export interface ConnectionOptions {
  clinicId: number;
  /** The server says that this session is over: no attempt can help. */
  onUnauthenticated?: () => void;
  /** The server knows this member, and not in this clinic. Attempts go on, in case that is not for long. */
  onClinicNotFound?: () => void;
  createSocket?: (clinicId: number) => SocketLike;
  random?: () => number;
}

type Timer = ReturnType<typeof setTimeout> | undefined;

export class RealtimeConnection {
  readonly #socket: SocketLike;
  readonly #options: ConnectionOptions;
  readonly #listeners = new Listeners();
  #snapshot = AT_REST;
  #wanted = false;
  #attemptRuns = false;
  #probing = false;
  #comeBackAt: number | null = null;
  #heardAt: number | null = null;
  #lookedAt = 0;
  #watch: ReturnType<typeof setInterval> | undefined;
  #retryTimer: Timer;
  #heldTimer: Timer;
  #attemptTimer: Timer;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#socket = (options.createSocket ?? createSocket)(options.clinicId);
  }

  getSnapshot = () => this.#snapshot;
  subscribe = this.#listeners.add;

  get connected() {
    return this.#snapshot.status === 'connected';
  }

  /** When the server last said anything, a heartbeat too (ms since 1970): a connection may be dead long before it ends. */
  get heardAt() {
    return this.#heardAt;
  }

  start() {
    if (this.#wanted) return;
    this.#wanted = true;
    this.#listen('on');
    window.addEventListener('online', this.#onNetwork);
    window.addEventListener('offline', this.#onNetwork);
    document.addEventListener('visibilitychange', this.#onVisibility);
    this.#lookedAt = Date.now();
    this.#watch = setInterval(this.#onLookAround, LOOK_AROUND_MS);
    this.#set({ status: 'connecting', error: null, attempt: 0, retryAt: null });
    this.#attempt();
  }

  stop() {
    if (!this.#wanted) return;
    this.#wanted = false;
    this.#clearTimers();
    clearInterval(this.#watch);
    window.removeEventListener('online', this.#onNetwork);
    window.removeEventListener('offline', this.#onNetwork);
    document.removeEventListener('visibilitychange', this.#onVisibility);
    this.#listen('off');
    this.#socket.disconnect();
    this.#attemptRuns = false;
    this.#set({ ...AT_REST, serverVersion: this.#snapshot.serverVersion });
  }

  /** Try now, with five new fast attempts: the button, the network's return, the tab shown again. */
  wake = () => {
    if (!this.#wanted || this.#attemptRuns || this.connected) return;
    this.#clearTimers();
    this.#set({ status: 'connecting', attempt: 0, retryAt: null });
    this.#attempt();
  };

  on<Name extends keyof ServerEvents>(name: Name, handler: (payload: ServerEvents[Name]) => void) {
    this.#socket.on(name, handler as never);
    return () => void this.#socket.off(name, handler as never);
  }

  /** Sends an event and waits for its acknowledgement. Never buffered: without a connection it fails at once. */
  request<Name extends keyof ClientEvents>(
    name: Name,
    payload: ClientEvents[Name]['payload'],
    timeoutMs = ACK_TIMEOUT_MS,
  ): Promise<ClientEvents[Name]['answer']> {
    if (!this.connected) return Promise.reject(new ApiError('disconnected', { retryable: true }));
    return new Promise((resolve, reject) => {
      const answered = (lost: Error | null, ack: Acknowledgement<ClientEvents[Name]['answer']>) => {
        if (lost) reject(new ApiError(this.connected ? 'timeout' : 'disconnected', { retryable: true }));
        else if (ack.ok) resolve(ack);
        else reject(new ApiError(ack.error.code, ack.error));
      };
      this.#socket.timeout(timeoutMs).emit(name, payload, answered);
    });
  }

  setClinicConnections = (count: number) => {
    if (count !== this.#snapshot.clinicConnections) this.#set({ clinicConnections: count });
  };

  setServerVersion = (version: string) => {
    if (version !== this.#snapshot.serverVersion) this.#set({ serverVersion: version });
  };

  #attempt() {
    this.#attemptRuns = true;
    // The client's own timeout ends at the opened WebSocket; a server that then says nothing must not hold us for ever.
    this.#attemptTimer = setTimeout(() => {
      this.#socket.disconnect();
      this.#failed('timeout');
    }, ATTEMPT_TIMEOUT_MS);
    this.#socket.connect();
    this.#socket.io?.engine?.once('close', this.#onEarlyClose);
    this.#socket.io?.engine?.on('packet', this.#onHeard);
  }

  #onHeard = () => {
    this.#heardAt = Date.now();
  };

  /** The client tells nobody of a WebSocket that closes before it has said anything; some proxies do just that. */
  #onEarlyClose = (reason: string) => {
    if (!this.#attemptRuns) return;
    this.#socket.disconnect();
    this.#failed(reason);
  };

  #onConnect = () => {
    this.#clearTimers();
    this.#onHeard();
    this.#attemptRuns = false;
    this.#comeBackAt = null;
    this.#heldTimer = setTimeout(() => this.#set({ attempt: 0 }), HELD_AFTER_MS);
    this.#set({ status: 'connected', error: null, retryAt: null });
  };

  #onDisconnect = (reason: string) => this.#failed(reason);

  #onConnectError = (error: Error & { data?: { code?: string } }) => {
    if (error.data?.code === 'unauthenticated') {
      this.stop();
      this.#options.onUnauthenticated?.();
      return;
    }
    this.#failed(error.data?.code ?? error.message);
    if (error.data?.code === 'not_found') this.#options.onClinicNotFound?.();
  };

  /** One connection or attempt ended. Also called twice for one end (the engine's and ours): the second finds nothing. */
  #failed(error: string) {
    if (!this.#wanted || (!this.#attemptRuns && !this.connected)) return;
    this.#attemptRuns = false;
    this.#clearTimers();
    const { attempt } = this.#snapshot;
    const fastDelay = RETRY_DELAYS_MS[attempt];
    if (this.#comeBackAt !== null) {
      // The server told everyone its own moment, so the spread is in there and the attempt costs nothing.
      this.#planRetry(Math.max(0, this.#comeBackAt - Date.now()), { status: 'connecting', error });
      this.#comeBackAt = null;
    } else if (fastDelay !== undefined) {
      this.#planRetry(this.#spread(fastDelay), { status: 'connecting', error, attempt: attempt + 1 });
    } else {
      this.#planRetry(this.#spread(OFFLINE_RETRY_MS), { status: 'error', error });
    }
  }

  #planRetry(delayMs: number, patch: Partial<ConnectionSnapshot>) {
    this.#retryTimer = setTimeout(() => {
      this.#set({ retryAt: null });
      this.#attempt();
    }, delayMs);
    this.#set({ ...patch, retryAt: Date.now() + delayMs, clinicConnections: null });
  }

  #spread(delayMs: number) {
    return delayMs * (1 + JITTER * (this.#options.random ?? Math.random)());
  }

  #onVisibility = () => {
    if (document.visibilityState === 'visible') this.#onNetwork();
  };

  /** No event tells a page that its computer has slept, and its timers may not have counted the time: the clock has. */
  #onLookAround = () => {
    const sleptMs = Date.now() - this.#lookedAt - LOOK_AROUND_MS;
    this.#lookedAt = Date.now();
    if (sleptMs > SLEPT_MS) this.#onVisibility();
  };

  /** Something changed around us: without a connection try now, with one ask whether it is still one. */
  #onNetwork = () => {
    if (this.connected) void this.#probe();
    else if (navigator.onLine !== false) this.wake();
  };

  /** A computer that slept or lost its network holds a dead connection until the heartbeat is missed, most of a minute. */
  async #probe() {
    if (this.#probing) return;
    this.#probing = true;
    try {
      await this.request('clinic:join', { clinicId: this.#options.clinicId }, PROBE_TIMEOUT_MS);
    } catch (error) {
      if (this.connected && asApiError(error).code === 'timeout') {
        this.#socket.disconnect();
        this.#failed('timeout');
      }
    } finally {
      this.#probing = false;
    }
  }

  #onDraining = ({ reconnectInMs }: ServerEvents['server:draining']) => {
    this.#comeBackAt = Date.now() + reconnectInMs;
  };

  #onConnections = ({ count }: ServerEvents['clinic:connections']) => this.setClinicConnections(count);

  #listen(onOrOff: 'on' | 'off') {
    this.#socket[onOrOff]('connect', this.#onConnect);
    this.#socket[onOrOff]('disconnect', this.#onDisconnect);
    this.#socket[onOrOff]('connect_error', this.#onConnectError);
    this.#socket[onOrOff]('server:draining', this.#onDraining);
    this.#socket[onOrOff]('clinic:connections', this.#onConnections);
  }

  #clearTimers() {
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#heldTimer);
    clearTimeout(this.#attemptTimer);
  }

  #set(patch: Partial<ConnectionSnapshot>) {
    this.#snapshot = { ...this.#snapshot, ...patch };
    this.#listeners.tell();
  }
}
