import { type FormEvent, useState } from 'react';
import { useI18n } from '@/shared/i18n/useI18n';
import { Button } from '@/shared/ui/Button';
import { TextField } from '@/shared/ui/Field';
import { postOwnPassword } from './api';
import { useSaving } from './useSaving';

const SHORTEST = 10;

/** One's own password; all other sessions end. */
export function PasswordPanel() {
  const { t } = useI18n();
  const { busy, save, fieldError } = useSaving();
  const [present, setPresent] = useState('');
  const [wanted, setWanted] = useState('');
  const [again, setAgain] = useState('');
  const [checked, setChecked] = useState(false);
  const short = wanted.length < SHORTEST ? t.password.short(SHORTEST) : undefined;
  const differs = again !== wanted ? t.password.differs : undefined;
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setChecked(true);
    if (!present || short || differs) return;
    const done = await save(async () => {
      await postOwnPassword(present, wanted);
      return true;
    }, t.password.changed);
    if (!done) return;
    for (const clear of [setPresent, setWanted, setAgain]) clear('');
    setChecked(false);
  };
  const missing = checked && !present ? t.fields.empty : undefined;
  return (
    <form onSubmit={submit} noValidate className="max-w-sm space-y-4">
      <p className="text-ink-soft text-meta">{t.password.lead}</p>
      <TextField
        label={t.password.present}
        type="password"
        autoComplete="current-password"
        value={present}
        error={missing ?? fieldError('currentPassword')}
        onChange={(event) => setPresent(event.target.value)}
      />
      <TextField
        label={t.password.wanted}
        type="password"
        autoComplete="new-password"
        value={wanted}
        hint={t.password.short(SHORTEST)}
        error={(checked ? short : undefined) ?? fieldError('newPassword')}
        onChange={(event) => setWanted(event.target.value)}
      />
      <TextField
        label={t.password.again}
        type="password"
        autoComplete="new-password"
        value={again}
        error={checked ? differs : undefined}
        onChange={(event) => setAgain(event.target.value)}
      />
      <Button type="submit" look="primary" disabled={busy}>
        {t.password.save}
      </Button>
    </form>
  );
}
