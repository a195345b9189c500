import { createContext, type ReactNode, useContext, useEffect, useSyncExternalStore } from 'react';
import type { RealtimeConnection } from './connection';

const ConnectionContext = createContext<RealtimeConnection | null>(null);

/** Connects while mounted. start and stop may be repeated in any order, as StrictMode does. */
export function RealtimeProvider(props: { connection: RealtimeConnection; children: ReactNode }) {
  const { connection } = props;
  useEffect(() => {
    connection.start();
    return () => connection.stop();
  }, [connection]);
  return <ConnectionContext value={connection}>{props.children}</ConnectionContext>;
}

export function useConnection(): RealtimeConnection {
  const connection = useContext(ConnectionContext);
  if (!connection) throw new Error('a <RealtimeProvider> must stand above');
  return connection;
}

/** The connection's state, and `reconnect` to try at once. */
export function useWebSocket() {
  const connection = useConnection();
  const snapshot = useSyncExternalStore(connection.subscribe, connection.getSnapshot);
  return { ...snapshot, reconnect: connection.wake };
}
