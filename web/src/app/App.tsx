import { useEffect, useSyncExternalStore } from 'react';
import { Redirect, useLocation } from 'wouter';
import { LoginPage } from '@/features/entrar/LoginPage';
import type { Session } from '@/features/entrar/session';
import { errorText } from '@/shared/i18n/catalogue';
import { useI18n } from '@/shared/i18n/useI18n';
import { useDelayed } from '@/shared/lib/useDelayed';
import { Button } from '@/shared/ui/Button';
import { Logo } from '@/shared/ui/Logo';
import { Notice } from '@/shared/ui/Notice';
import { SignedIn } from './SignedIn';

const SIGN_IN = '/entrar';
const HOME = '/conversas';

/** Who may see what: the session decides between the login page and everything else. */
export function App({ session }: { session: Session }) {
  const state = useSyncExternalStore(session.subscribe, session.getSnapshot);
  const [path] = useLocation();
  useEffect(() => {
    if (state.phase === 'starting') void session.begin();
  }, [session, state.phase]);
  switch (state.phase) {
    case 'starting':
      return <Starting />;
    case 'unreachable':
      return <Unreachable session={session} code={state.error.code} />;
    case 'signedOut':
      if (path !== SIGN_IN) return <Redirect to={signInPath(path)} replace />;
      return <LoginPage session={session} ended={state.ended} />;
    case 'signedIn':
      if (path === SIGN_IN || path === '/') return <Redirect to={wantedPath()} replace />;
      return <SignedIn key={state.me.member.id} session={session} me={state.me} />;
  }
}

/** The login page remembers where its visitor was going. */
const signInPath = (path: string) => (path.startsWith(`${HOME}/`) ? `${SIGN_IN}?para=${path}` : SIGN_IN);

function wantedPath(): string {
  const wanted = new URLSearchParams(window.location.search).get('para') ?? HOME;
  return wanted.startsWith(`${HOME}/`) ? wanted : HOME;
}

function Starting() {
  const { t } = useI18n();
  const slow = useDelayed(true, 1000);
  return (
    <div className="grid h-full place-items-center">
      {slow && (
        <p className="flex items-center gap-3 text-ink-soft">
          <Logo /> {t.starting.trying}
        </p>
      )}
    </div>
  );
}

const TRY_AGAIN_MS = 5000;

function Unreachable({ session, code }: { session: Session; code: string }) {
  const { t } = useI18n();
  useEffect(() => {
    const timer = setInterval(() => void session.begin(), TRY_AGAIN_MS);
    return () => clearInterval(timer);
  }, [session]);
  return (
    <Notice
      alert
      icon={<Logo />}
      title={t.starting.unreachable}
      text={errorText(t, code)}
      action={<Button onClick={() => void session.begin()}>{t.starting.retry}</Button>}
    />
  );
}
