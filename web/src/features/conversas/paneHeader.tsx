/** What stands on top of each pane: its header, the connection's state, and on red what still works. */
import type { ReactNode } from 'react';
import { isNewer } from '@/realtime/newVersion';
import { useWebSocket } from '@/realtime/useWebSocket';
import { WebSocketStatus } from '@/realtime/WebSocketStatus';
import { useI18n } from '@/shared/i18n/useI18n';
import { Button } from '@/shared/ui/Button';
import { useInboxState } from './useInbox';

export function Header({ children }: { children: ReactNode }) {
  return (
    <header className="flex h-14 shrink-0 items-center gap-3 border-line border-b bg-raised px-3.5">
      {children}
    </header>
  );
}

export function Status() {
  const trueUntil = useInboxState((inbox) => inbox.trueUntil);
  const standIn = useInboxState((inbox) => inbox.standIn);
  return <WebSocketStatus trueUntil={trueUntil} standIn={standIn} />;
}

/** On red: what still works. With a newer server: that this page is of yesterday. */
export function OfflineLine() {
  const { t } = useI18n();
  const { status, serverVersion } = useWebSocket();
  const standIn = useInboxState((inbox) => inbox.standIn);
  const outdated = serverVersion !== null && isNewer(serverVersion, __RECADO_VERSION__);
  return (
    <>
      {status === 'error' && (
        <p className="shrink-0 border-line border-b bg-broken-tint px-4 py-1 text-broken text-meta">
          {standIn === 'working' ? t.status.standIn : t.status.offline}
        </p>
      )}
      {outdated && (
        <p className="shrink-0 border-line border-b bg-accent-tint px-4 py-1 text-meta">
          {t.nav.newVersion}{' '}
          <Button look="text" onClick={() => window.location.reload()}>
            {t.nav.reload}
          </Button>
        </p>
      )}
    </>
  );
}
