import { io, type Socket } from 'socket.io-client';

/** What the connection needs of a Socket.IO client; the tests play it with a fake. */
export type SocketLike = Pick<
  Socket,
  'connected' | 'on' | 'off' | 'connect' | 'disconnect' | 'emit' | 'timeout'
> & { readonly io?: { readonly engine?: Pick<Socket['io']['engine'], 'once' | 'on'> } };

const HANDSHAKE_TIMEOUT_MS = 10_000;

/** Stock client, WebSocket only: without one, the REST long-poll stands in. Reconnecting is connection.ts's business. */
export function createSocket(clinicId: number): SocketLike {
  return io({
    autoConnect: false,
    forceNew: true,
    reconnection: false,
    timeout: HANDSHAKE_TIMEOUT_MS,
    transports: ['websocket'],
    withCredentials: true,
    auth: { clinicId, client: `web/${__RECADO_VERSION__}` },
  });
}
