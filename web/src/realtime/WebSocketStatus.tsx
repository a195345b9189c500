import { useState } from 'react';
import type { Locale, Messages } from '@/shared/i18n/catalogue';
import { useI18n } from '@/shared/i18n/useI18n';
import { clockTimeWithSeconds, sameDay, soonTime } from '@/shared/lib/format';
import { useDelayed } from '@/shared/lib/useDelayed';
import { useNow } from '@/shared/lib/useNow';
import { Popover } from '@/shared/ui/Popover';
import type { ConnectionStatus } from './connection';
import { useWebSocket } from './useWebSocket';

const YELLOW_AFTER_MS = 1500;

const LOOKS: Record<ConnectionStatus, { pill: string; dot: string }> = {
  connected: { pill: 'bg-live-tint text-live', dot: 'bg-current' },
  connecting: {
    pill: 'bg-waiting-tint text-waiting',
    dot: 'border border-current bg-linear-to-r from-current from-50% to-transparent to-50% motion-safe:animate-pulse',
  },
  error: { pill: 'bg-broken-tint text-broken', dot: 'border-[1.5px] border-current' },
  disconnected: { pill: 'bg-off-tint text-off', dot: 'h-0.5 rounded-none bg-current' },
};

export interface WebSocketStatusProps {
  /** Until when the screen is known to be true, while nothing comes by itself. */
  trueUntil: number | null;
  /** Whether REST stands in for the socket, and with what luck. */
  standIn: 'off' | 'working' | 'failing';
}

/** The state in one word, how old the screen is, when the next attempt comes; the rest on demand. */
export function WebSocketStatus({ trueUntil, standIn }: WebSocketStatusProps) {
  const { t, locale } = useI18n();
  const connection = useWebSocket();
  const error = connection.error === null ? null : inWords(t, connection.error);
  const status = useShownStatus(connection.status);
  const look = LOOKS[status ?? 'disconnected'];
  const behind = useDelayed(status === 'connected' && trueUntil !== null, YELLOW_AFTER_MS);
  const asOf = trueUntil === null ? null : t.status.trueUntil(momentPast(locale, new Date(trueUntil)));
  return (
    <div className="flex min-w-0 items-center gap-2 text-ink-soft text-meta tabular-nums">
      {status === 'error' || status === 'connecting' ? (
        <span className="hidden min-w-0 items-center gap-2 truncate sm:flex">
          {asOf && <span className="truncate">{asOf}</span>}
          {asOf && <span aria-hidden="true">·</span>}
          {status === 'error' && error && (
            <span data-part="error" title={error} className="hidden max-w-40 truncate xl:inline">
              {error}
            </span>
          )}
          {status === 'error' && error && (
            <span aria-hidden="true" className="hidden xl:inline">
              ·
            </span>
          )}
          <NextAttempt />
        </span>
      ) : behind ? (
        <span className="hidden whitespace-nowrap sm:inline">{asOf}</span>
      ) : (
        connection.clinicConnections !== null && (
          <span className="hidden whitespace-nowrap xl:inline">
            {t.status.connections(connection.clinicConnections)}
          </span>
        )
      )}
      <span role="status" data-status={status ?? 'connecting'} className={status ? '' : 'opacity-0'}>
        <Popover
          label={t.status.details}
          trigger={
            <span
              className={`flex items-center gap-1.5 whitespace-nowrap rounded-full px-2.5 py-1 font-medium transition-colors ${look.pill}`}
            >
              <span aria-hidden="true" className={`inline-block size-2 rounded-full ${look.dot}`} />
              {status ? t.status[status] : ''}
            </span>
          }
        >
          <Details status={connection.status} asOf={asOf} standIn={standIn} />
        </Popover>
      </span>
    </div>
  );
}

/** "10:42:07", and of another day "22/11 18:05". */
const momentPast = (locale: Locale, date: Date) =>
  sameDay(date, new Date()) ? clockTimeWithSeconds(locale, date) : soonTime(locale, date, new Date());

/**
 * Yellow only after 1.5 s: a blip keeps the state before it. Null in the first moment, when nothing is known yet.
 */
function useShownStatus(status: ConnectionStatus): ConnectionStatus | null {
  const yellow = useDelayed(status === 'connecting', YELLOW_AFTER_MS);
  const [settled, setSettled] = useState<ConnectionStatus | null>(null);
  if (status !== 'connecting' && status !== settled && !(settled === null && status === 'disconnected')) {
    setSettled(status);
  }
  if (status === 'connecting') return yellow ? 'connecting' : settled;
  return settled === null && status === 'disconnected' ? null : status;
}

function NextAttempt() {
  const { t } = useI18n();
  const { retryAt, status, reconnect } = useWebSocket();
  const now = useNow(500, retryAt !== null);
  if (status === 'connected') return null;
  if (retryAt === null) return <span>{t.status.retrying}</span>;
  return (
    <span className="flex items-center gap-1 whitespace-nowrap">
      {t.status.retryIn(Math.max(1, Math.ceil((retryAt - now) / 1000)))}
      <span aria-hidden="true">·</span>
      <button
        type="button"
        onClick={reconnect}
        className="rounded font-medium text-accent underline-offset-2 hover:underline"
      >
        {t.status.retryNow}
      </button>
    </span>
  );
}

/** A code of ours or a reason of socket.io-client's, as a person says it; what is neither stands as it is. */
function inWords(t: Messages, error: string): string {
  const ours: Record<string, string> = t.errors;
  const theirs: Record<string, string> = t.status.reasons;
  return ours[error] ?? theirs[error] ?? error;
}

function Details(props: {
  status: ConnectionStatus;
  asOf: string | null;
  standIn: WebSocketStatusProps['standIn'];
}) {
  const { t } = useI18n();
  const { error, clinicConnections } = useWebSocket();
  const { status, standIn } = props;
  const transport =
    status === 'connected'
      ? t.status.webSocket
      : standIn === 'working'
        ? t.status.longPoll
        : t.status.noTransport;
  const text = {
    connected: t.status.connectedText,
    connecting: t.status.connectingText,
    error: t.status.errorText,
    disconnected: t.status.disconnectedText,
  }[status];
  return (
    <div className="space-y-3 text-meta">
      <div>
        <p className="font-medium text-body">{t.status[status]}</p>
        <p className="text-ink-soft">{text}</p>
      </div>
      <dl className="grid grid-cols-[auto_1fr] gap-x-4 gap-y-1 tabular-nums">
        <dt className="text-ink-soft">{t.status.transport}</dt>
        <dd className="text-right">{transport}</dd>
        {clinicConnections !== null && (
          <>
            <dt className="text-ink-soft">{t.status.clinicConnections}</dt>
            <dd className="text-right">{clinicConnections}</dd>
          </>
        )}
        {error && status !== 'connected' && (
          <>
            <dt className="text-ink-soft">{t.status.lastError}</dt>
            <dd className="break-words text-right">{inWords(t, error)}</dd>
          </>
        )}
      </dl>
      {status !== 'connected' && (
        <div className="flex flex-wrap items-center justify-between gap-2 border-line border-t pt-3 text-ink-soft">
          <span>{props.asOf}</span>
          <NextAttempt />
        </div>
      )}
    </div>
  );
}
