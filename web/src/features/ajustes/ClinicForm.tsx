import { type FormEvent, type ReactNode, useRef, useState } from 'react';
import { asApiError } from '@/shared/api/errors';
import type { ClinicChange, ClinicProfile } from '@/shared/api/types';
import { useI18n } from '@/shared/i18n/useI18n';
import { Button } from '@/shared/ui/Button';
import { patchClinic } from './api';
import { useSaving } from './useSaving';

export interface PanelProps {
  clinic: ClinicProfile;
  /** The clinic as the server answered. */
  onClinic: (clinic: ClinicProfile) => void;
}

/**
 * A part of the clinic under edit. It holds what was read when editing began; who saves over a colleague's change is told
 * first (`clinic_changed`), and then does it knowingly.
 */
export function useClinicForm<Value>(
  { clinic, onClinic }: PanelProps,
  read: (clinic: ClinicProfile) => Value,
) {
  const { t } = useI18n();
  const saving = useSaving();
  const [base, setBase] = useState(clinic);
  const [value, setValue] = useState(() => read(clinic));
  const [dirty, setDirty] = useState(false);
  if (!dirty && base !== clinic) {
    setBase(clinic);
    setValue(read(clinic));
  }
  const latest = useRef({ clinic, value });
  latest.current = { clinic, value };
  const change = (next: Value) => {
    setDirty(true);
    setValue(next);
  };
  const patch = async (changed: ClinicChange) => {
    try {
      return await patchClinic(clinic.id, changed, base.version);
    } catch (thrown) {
      if (asApiError(thrown).code === 'clinic_changed') setBase(latest.current.clinic); // again is on purpose
      throw thrown;
    }
  };
  const save = async (changed: ClinicChange) => {
    const answer = await saving.save(() => patch(changed), t.settings.saved);
    if (!answer) return;
    onClinic(answer);
    setBase(answer);
    if (latest.current.value !== value) return; // typed meanwhile, and to be saved
    setValue(read(answer));
    setDirty(false);
  };
  return { ...saving, value, change, save, dirty };
}

export function ClinicForm(props: {
  busy: boolean;
  dirty: boolean;
  errors: readonly string[];
  onSave: () => void;
  children: ReactNode;
}) {
  const { t } = useI18n();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    props.onSave();
  };
  return (
    <form onSubmit={submit} noValidate className="space-y-5">
      {props.children}
      {props.errors.length > 0 && (
        <p role="alert" className="text-broken text-meta">
          {props.errors.join(' ')}
        </p>
      )}
      <Button type="submit" look="primary" disabled={props.busy || !props.dirty}>
        {t.dialog.save}
      </Button>
    </form>
  );
}
