import { CircleAlert, Eye, EyeOff } from 'lucide-react';
import { type ComponentProps, type FormEvent, type ReactNode, useId, useRef, useState } from 'react';
import { type ApiError, asApiError } from '@/shared/api/errors';
import { errorText, type Messages } from '@/shared/i18n/catalogue';
import { useI18n } from '@/shared/i18n/useI18n';
import { Button } from '@/shared/ui/Button';
import { Logo } from '@/shared/ui/Logo';
import type { Session } from './session';

export function LoginPage({ session, ended }: { session: Session; ended: boolean }) {
  const { t } = useI18n();
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);
  const form = useRef<HTMLFormElement>(null);

  const focusOn = (name: 'email' | 'password') =>
    form.current?.querySelector<HTMLInputElement>(`[name=${name}]`)?.focus();

  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const fields = new FormData(event.currentTarget);
    const email = String(fields.get('email')).trim();
    const password = String(fields.get('password'));
    if (!email || !password) {
      setError(t.signIn.missing);
      return focusOn(email ? 'password' : 'email');
    }
    setBusy(true);
    setError(null);
    try {
      await session.signIn(email, password);
    } catch (thrown) {
      setError(refusalText(t, asApiError(thrown)));
      setBusy(false);
      focusOn('password');
    }
  };

  return (
    <main className="grid min-h-full place-items-center p-4">
      <div className="w-full max-w-88">
        <div className="mb-6 flex items-center gap-3">
          <Logo className="size-10" />
          <div>
            <p className="font-semibold text-[20px] leading-6 tracking-tight">{t.product}</p>
            <p className="text-ink-soft text-meta">{t.signIn.lead}</p>
          </div>
        </div>
        <form
          ref={form}
          onSubmit={submit}
          noValidate
          className="space-y-4 rounded-box border border-line bg-raised p-6"
        >
          <h1 className="sr-only">{t.signIn.title}</h1>
          {(error || ended) && <Alert tone={error ? 'broken' : 'waiting'}>{error ?? t.signIn.ended}</Alert>}
          <Field
            label={t.signIn.email}
            name="email"
            type="email"
            autoComplete="username"
            autoFocus
            invalid={!!error}
          />
          <PasswordField invalid={!!error} />
          <Button type="submit" look="primary" disabled={busy} className="w-full">
            {busy ? t.signIn.submitting : t.signIn.submit}
          </Button>
        </form>
      </div>
    </main>
  );
}

function refusalText(t: Messages, error: ApiError): string {
  if (error.code === 'invalid_credentials') return t.signIn.wrong;
  if (error.code === 'rate_limited') {
    return t.signIn.tooMany(
      error.retryAfterMs === undefined ? undefined : Math.ceil(error.retryAfterMs / 1000),
    );
  }
  return errorText(t, error.code);
}

function Alert(props: { tone: 'broken' | 'waiting'; children: ReactNode }) {
  const tone = props.tone === 'broken' ? 'bg-broken-tint text-broken' : 'bg-waiting-tint text-waiting';
  return (
    <p role="alert" className={`flex items-start gap-2 rounded-md px-3 py-2 text-meta ${tone}`}>
      <CircleAlert aria-hidden="true" className="mt-px size-4 shrink-0" />
      {props.children}
    </p>
  );
}

function Field(props: ComponentProps<'input'> & { label: string; invalid: boolean; button?: ReactNode }) {
  const { label, invalid, button, ...input } = props;
  const id = useId();
  return (
    <div className="space-y-1.5">
      <label htmlFor={id} className="block font-medium text-meta">
        {label}
      </label>
      <div className="relative">
        <input
          id={id}
          required
          aria-invalid={invalid || undefined}
          className={`w-full rounded-box border border-line-strong bg-surface px-3 py-2 focus-visible:outline-offset-0 aria-invalid:border-broken ${button ? 'pr-11' : ''}`}
          {...input}
        />
        {button}
      </div>
    </div>
  );
}

function PasswordField({ invalid }: { invalid: boolean }) {
  const { t } = useI18n();
  const [seen, setSeen] = useState(false);
  const Icon = seen ? EyeOff : Eye;
  return (
    <Field
      label={t.signIn.password}
      name="password"
      type={seen ? 'text' : 'password'}
      autoComplete="current-password"
      invalid={invalid}
      button={
        <button
          type="button"
          aria-label={seen ? t.signIn.hidePassword : t.signIn.showPassword}
          onClick={() => setSeen(!seen)}
          className="absolute inset-y-1 right-1 grid w-9 place-items-center rounded-md text-ink-soft hover:bg-sunken hover:text-ink"
        >
          <Icon aria-hidden="true" className="size-4.5" />
        </button>
      }
    />
  );
}
