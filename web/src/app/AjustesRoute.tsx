import type { ReactNode } from 'react';
import { AjustesPage } from '@/features/ajustes/AjustesPage';
import { ChannelsPanel } from '@/features/ajustes/ChannelsPanel';
import { HoursPanel } from '@/features/ajustes/HoursPanel';
import { LabelsPanel } from '@/features/ajustes/LabelsPanel';
import { PasswordPanel } from '@/features/ajustes/PasswordPanel';
import { RepliesPanel } from '@/features/ajustes/RepliesPanel';
import { TeamPanel } from '@/features/ajustes/TeamPanel';
import { AlertsPanel } from '@/features/avisos/AlertsPanel';
import type { AlertSettingsStore } from '@/features/avisos/settings';
import { useInbox, useInboxState } from '@/features/conversas/useInbox';
import type { ClinicProfile, Me } from '@/shared/api/types';

interface AjustesRouteProps {
  section: string | undefined;
  me: Me;
  clinicId: number;
  alertSettings: AlertSettingsStore;
  account: ReactNode;
}

/** Everyone's own settings, and an admin's those of the clinic. */
export function AjustesRoute({ section, me, clinicId, alertSettings, account }: AjustesRouteProps) {
  const inbox = useInbox();
  const clinic = useInboxState(({ state }) => state.clinic);
  const admin =
    (clinic?.members.find(({ id }) => id === me.member.id) ?? me.clinics.find(({ id }) => id === clinicId))
      ?.role === 'admin';
  const own = { avisos: <AlertsPanel settings={alertSettings} />, senha: <PasswordPanel /> };
  const held = { onClinic: (changed: ClinicProfile) => inbox.ingest({ kind: 'profile', clinic: changed }) };
  const panels =
    admin && clinic
      ? {
          ...own,
          equipe: <TeamPanel clinic={clinic} {...held} ownId={me.member.id} />,
          etiquetas: <LabelsPanel clinic={clinic} {...held} />,
          respostas: <RepliesPanel clinic={clinic} {...held} />,
          clinica: <HoursPanel clinic={clinic} {...held} />,
          canais: <ChannelsPanel clinicId={clinicId} />,
        }
      : own;
  return <AjustesPage section={section} account={account} panels={panels} waiting={admin && !clinic} />;
}
