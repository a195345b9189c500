import { lazy, type ReactNode, Suspense, useEffect, useState } from 'react';
import { Link, Redirect, Route, Switch, useLocation } from 'wouter';
import { ConversasPage } from '@/features/conversas/ConversasPage';
import { InboxContext } from '@/features/conversas/useInbox';
import type { Session } from '@/features/entrar/session';
import { RealtimeProvider } from '@/realtime/useWebSocket';
import { AnnouncerOutlet } from '@/shared/a11y/announcer';
import type { Clinic, Me } from '@/shared/api/types';
import { useI18n } from '@/shared/i18n/useI18n';
import { recall, remember } from '@/shared/lib/remembered';
import { useMediaQuery } from '@/shared/lib/useMediaQuery';
import { Notice } from '@/shared/ui/Notice';
import { ToastsOutlet } from '@/shared/ui/toasts';
import { ToastsContext } from '@/shared/ui/useToasts';
import { AccountMenu } from './AccountMenu';
import { Boundary } from './Boundary';
import { buildParts } from './parts';
import { Rail } from './Rail';
import { useTellings } from './useTellings';

const AjustesPage = lazy(async () => ({ default: (await import('./AjustesRoute')).AjustesRoute }));

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
  const [parts] = useState(() => buildParts(session, me, clinic));
  const { connection, inbox, announcer, toasts, alertSettings } = parts;
  useEffect(() => {
    inbox.start();
    return () => {
      inbox.stop();
      announcer.stop();
      toasts.stop();
    };
  }, [inbox, announcer, toasts]);
  useTellings(parts, clinic.name);
  const rail = useMediaQuery('(min-width: 48rem)');
  return (
    <RealtimeProvider connection={connection}>
      <InboxContext value={inbox}>
        <ToastsContext value={toasts}>
          <div className="flex h-full flex-col">
            {me.passwordTemporary && <TemporaryPassword />}
            <div className="flex min-h-0 flex-1">
              {rail && <Rail account={account} />}
              <Boundary>
                <Switch>
                  <Route path="/conversas/:id?">
                    {({ id }) => (
                      <ConversasPage
                        clinicName={clinic.name}
                        conversationId={id}
                        account={rail ? null : account}
                      />
                    )}
                  </Route>
                  <Route path="/ajustes/:section?">
                    {({ section }) => (
                      <Suspense>
                        <AjustesPage
                          section={section}
                          me={me}
                          clinicId={clinic.id}
                          alertSettings={alertSettings}
                          account={rail ? null : account}
                        />
                      </Suspense>
                    )}
                  </Route>
                  <Route path="/">
                    <Redirect to="/conversas" replace />
                  </Route>
                  <Route>
                    <NotFound />
                  </Route>
                </Switch>
              </Boundary>
            </div>
          </div>
          <AnnouncerOutlet announcer={announcer} />
          <ToastsOutlet toasts={toasts} />
        </ToastsContext>
      </InboxContext>
    </RealtimeProvider>
  );
}

function NotFound() {
  const { t } = useI18n();
  return (
    <main className="flex-1">
      <Notice
        title={t.nav.notFound}
        action={
          <Link href="/conversas" className="font-medium text-accent underline">
            {t.nav.goToConversations}
          </Link>
        }
      />
    </main>
  );
}

/** Somebody else knows it: say so until it is changed. */
function TemporaryPassword() {
  const { t } = useI18n();
  return (
    <p className="shrink-0 border-line border-b bg-waiting-tint px-4 py-1 text-meta text-waiting">
      {t.password.temporary}{' '}
      <Link href="/ajustes/senha" className="font-medium underline underline-offset-2">
        {t.password.save}
      </Link>
    </p>
  );
}
