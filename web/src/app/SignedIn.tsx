import { type ReactNode, useEffect, useState } from 'react';
import { Link, Redirect, Route, Switch, useLocation } from 'wouter';
import { ConversasPage } from '@/features/conversas/ConversasPage';
import { Inbox } from '@/features/conversas/inbox';
import { InboxContext } from '@/features/conversas/useInbox';
import type { Session } from '@/features/entrar/session';
import { RealtimeConnection } from '@/realtime/connection';
import { RealtimeProvider } from '@/realtime/useWebSocket';
import { Announcer, AnnouncerOutlet } from '@/shared/a11y/announcer';
import type { Clinic, Me } from '@/shared/api/types';
import { useI18n } from '@/shared/i18n/useI18n';
import { recall, remember } from '@/shared/lib/remembered';
import { useMediaQuery } from '@/shared/lib/useMediaQuery';
import { Notice } from '@/shared/ui/Notice';
import { AccountMenu } from './AccountMenu';
import { Rail } from './Rail';

export function SignedIn({ session, me }: { session: Session; me: Me }) {
  const { t } = useI18n();
  const [, navigate] = useLocation();
  const [clinicId, setClinicId] = useState(() => Number(recall('clinic')));
  const clinic = me.clinics.find(({ id }) => id === clinicId) ?? me.clinics[0];
  const choose = (id: number) => {
    remember('clinic', String(id));
    setClinicId(id);
    navigate('/conversas');
  };
  const account = <AccountMenu session={session} me={me} clinic={clinic} onClinic={choose} />;
  if (!clinic) return <Notice title={t.signIn.noClinic} action={account} />;
  return <ClinicScreen key={clinic.id} session={session} me={me} clinic={clinic} account={account} />;
}

interface ClinicScreenProps {
  session: Session;
  me: Me;
  clinic: Clinic;
  account: ReactNode;
}

/** Everything that lives as long as this member looks at this clinic. */
function ClinicScreen({ session, me, clinic, account }: ClinicScreenProps) {
  const [parts] = useState(() => build(session, me, clinic));
  const { connection, inbox, announcer } = parts;
  useEffect(() => {
    inbox.start();
    return () => {
      inbox.stop();
      announcer.stop();
    };
  }, [inbox, announcer]);
  useAnnouncedNews(announcer, inbox);
  const rail = useMediaQuery('(min-width: 48rem)');
  const { t } = useI18n();
  return (
    <RealtimeProvider connection={connection}>
      <InboxContext value={inbox}>
        <div className="flex h-full">
          {rail && <Rail account={account} />}
          <Switch>
            <Route path="/conversas/:id?">
              {({ id }) => (
                <ConversasPage clinicName={clinic.name} conversationId={id} account={rail ? null : account} />
              )}
            </Route>
            <Route path="/">
              <Redirect to="/conversas" replace />
            </Route>
            <Route>
              <Notice
                title={t.nav.notFound}
                action={
                  <Link href="/conversas" className="font-medium text-accent underline">
                    {t.nav.goToConversations}
                  </Link>
                }
              />
            </Route>
          </Switch>
        </div>
        <AnnouncerOutlet announcer={announcer} />
      </InboxContext>
    </RealtimeProvider>
  );
}

function build(session: Session, me: Me, clinic: Clinic) {
  const onUnauthenticated = session.ended;
  const connection = new RealtimeConnection({ clinicId: clinic.id, onUnauthenticated });
  const inbox = new Inbox({ clinicId: clinic.id, member: me.member, connection, onUnauthenticated });
  return { connection, inbox, announcer: new Announcer() };
}

function useAnnouncedNews(announcer: Announcer, inbox: Inbox) {
  const { t } = useI18n();
  useEffect(
    () =>
      inbox.onNews(({ conversation }) =>
        announcer.news(conversation.contact.name, (names) =>
          names.length === 1 ? t.thread.newFrom(conversation.contact.name) : t.thread.newCount(names.length),
        ),
      ),
    [announcer, inbox, t],
  );
}
