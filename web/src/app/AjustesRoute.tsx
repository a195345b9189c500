import type { ReactNode } from 'react';
import { AjustesPage } from '@/features/ajustes/AjustesPage';
import { AlertsPanel } from '@/features/avisos/AlertsPanel';
import type { AlertSettingsStore } from '@/features/avisos/settings';
import type { Me } from '@/shared/api/types';

interface AjustesRouteProps {
  section: string | undefined;
  me: Me;
  clinicId: number;
  alertSettings: AlertSettingsStore;
  account: ReactNode;
}

/** Everyone's own settings, and an admin's those of the clinic. */
export function AjustesRoute({ section, alertSettings, account }: AjustesRouteProps) {
  return (
    <AjustesPage
      section={section}
      account={account}
      panels={{ avisos: <AlertsPanel settings={alertSettings} /> }}
    />
  );
}
