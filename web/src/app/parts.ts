/** What a member's screen of a clinic is made of; the only place where the parts meet. */
import { AlertSettingsStore } from '@/features/avisos/settings';
import { Inbox } from '@/features/conversas/inbox';
import type { Session } from '@/features/entrar/session';
import { RealtimeConnection } from '@/realtime/connection';
import { Announcer } from '@/shared/a11y/announcer';
import type { Clinic, Me } from '@/shared/api/types';
import { Toasts } from '@/shared/ui/toasts';

export function buildParts(session: Session, me: Me, clinic: Clinic) {
  const onUnauthenticated = session.ended;
  const onClinicNotFound = () => void session.renew();
  const connection = new RealtimeConnection({ clinicId: clinic.id, onUnauthenticated, onClinicNotFound });
  return {
    connection,
    inbox: new Inbox({
      clinicId: clinic.id,
      member: me.member,
      connection,
      onUnauthenticated,
      onClinicNotFound,
    }),
    announcer: new Announcer(),
    toasts: new Toasts(),
    alertSettings: new AlertSettingsStore(me.member.id),
  };
}

export type Parts = ReturnType<typeof buildParts>;
