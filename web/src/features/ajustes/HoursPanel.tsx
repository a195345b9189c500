import { Plus, X } from 'lucide-react';
import type { ClinicChange, ClinicProfile, OpenHours } from '@/shared/api/types';
import { useI18n } from '@/shared/i18n/useI18n';
import { Check, TextField } from '@/shared/ui/Field';
import { ClinicForm, type PanelProps, useClinicForm } from './ClinicForm';
import { IconButton } from './IconButton';
import { type Keyed, keyed, unkeyed } from './keyed';

const DAYS = [1, 2, 3, 4, 5, 6, 7] as const;
const END_OF_DAY = '24:00';

interface Settings {
  name: string;
  waitingLimit: string;
  hasHours: boolean;
  timeZone: string;
  weekly: readonly Keyed<OpenHours>[];
}

const ownZone = () => Intl.DateTimeFormat().resolvedOptions().timeZone;

function read({ name, waitingLimitMinutes, hours }: ClinicProfile): Settings {
  return {
    name,
    waitingLimit: waitingLimitMinutes === undefined ? '' : String(waitingLimitMinutes),
    hasHours: hours !== undefined,
    timeZone: hours?.timeZone ?? ownZone(),
    weekly: (hours?.weekly ?? DAYS.slice(0, 5).map((day) => ({ day, opens: '08:00', closes: '18:00' }))).map(
      keyed,
    ),
  };
}

function changeOf({ name, waitingLimit, hasHours, timeZone, weekly }: Settings): ClinicChange {
  return {
    name,
    waitingLimitMinutes: waitingLimit === '' ? null : Number(waitingLimit),
    hours: hasHours ? { timeZone, weekly: weekly.map(unkeyed) } : null,
  };
}

/** The clinic's name, after how long a patient has waited too long, and when it is open. */
export function HoursPanel(props: PanelProps) {
  const { t } = useI18n();
  const { value, change, save, busy, dirty, fieldError, otherErrors } = useClinicForm(props, read);
  const set = (patch: Partial<Settings>) => change({ ...value, ...patch });
  const shown = ['name', 'waitingLimitMinutes', 'hours.timeZone'];
  return (
    <ClinicForm
      busy={busy}
      dirty={dirty}
      errors={otherErrors((path) => shown.includes(path))}
      onSave={() => void save(changeOf(value))}
    >
      <TextField
        label={t.clinic.name}
        value={value.name}
        maxLength={100}
        error={fieldError('name')}
        onChange={(event) => set({ name: event.target.value })}
      />
      <TextField
        label={t.clinic.waitingLimit}
        hint={t.clinic.waitingHint}
        inputMode="numeric"
        value={value.waitingLimit}
        error={fieldError('waitingLimitMinutes')}
        onChange={(event) => set({ waitingLimit: event.target.value.replace(/\D/g, '').slice(0, 5) })}
      />
      <Check
        label={t.clinic.hasHours}
        checked={value.hasHours}
        onChange={(event) => set({ hasHours: event.target.checked })}
      />
      {value.hasHours && (
        <>
          <TextField
            label={t.clinic.timeZone}
            value={value.timeZone}
            list="time-zones"
            error={fieldError('hours.timeZone')}
            onChange={(event) => set({ timeZone: event.target.value })}
          />
          <datalist id="time-zones">
            {Intl.supportedValuesOf('timeZone').map((zone) => (
              <option key={zone} value={zone} />
            ))}
          </datalist>
          <Week weekly={value.weekly} onChange={(weekly) => set({ weekly })} />
        </>
      )}
    </ClinicForm>
  );
}

function Week(props: { weekly: Settings['weekly']; onChange: (weekly: Settings['weekly']) => void }) {
  const { t, locale } = useI18n();
  const { weekly, onChange } = props;
  const nameOf = (day: number) =>
    new Intl.DateTimeFormat(locale, { weekday: 'long', timeZone: 'UTC' }).format(Date.UTC(2024, 0, day)); // 1 January 2024 was a Monday
  const edit = (key: string, patch: Partial<OpenHours>) =>
    onChange(weekly.map((each) => (each.key === key ? { ...each, ...patch } : each)));
  return (
    <fieldset>
      <legend className="mb-2 font-medium text-meta">{t.clinic.week}</legend>
      <ul className="divide-y divide-line rounded-box border border-line bg-raised">
        {DAYS.map((day) => {
          const hours = weekly.filter((each) => each.day === day);
          return (
            <li key={day} className="flex flex-wrap items-center gap-x-4 gap-y-2 px-3 py-2 text-meta">
              <span className="flex-1 first-letter:uppercase md:w-28 md:flex-none">{nameOf(day)}</span>
              <div className="order-1 flex w-full flex-wrap items-center gap-x-4 gap-y-2 md:order-none md:w-auto md:flex-1">
                {hours.length === 0 && <span className="text-ink-soft">{t.clinic.closed}</span>}
                {hours.map(({ key, opens, closes }) => (
                  <span key={key} className="flex items-center gap-1.5 tabular-nums">
                    <Time
                      label={t.clinic.opens(nameOf(day))}
                      value={opens}
                      onChange={(time) => edit(key, { opens: time })}
                    />
                    {t.clinic.to}
                    <Time
                      label={t.clinic.closes(nameOf(day))}
                      value={closes === END_OF_DAY ? '00:00' : closes}
                      onChange={(time) => edit(key, { closes: time === '00:00' ? END_OF_DAY : time })}
                    />
                    <IconButton
                      label={t.clinic.removeHours(nameOf(day))}
                      onClick={() => onChange(weekly.filter((each) => each.key !== key))}
                    >
                      <X aria-hidden="true" className="size-4" />
                    </IconButton>
                  </span>
                ))}
              </div>
              <IconButton
                label={t.clinic.addHours(nameOf(day))}
                onClick={() => onChange([...weekly, keyed(nextHours(day, hours))])}
              >
                <Plus aria-hidden="true" className="size-4" />
              </IconButton>
            </li>
          );
        })}
      </ul>
    </fieldset>
  );
}

/** The morning first, then an afternoon. */
function nextHours(day: OpenHours['day'], held: readonly OpenHours[]): OpenHours {
  return held.length === 0
    ? { day, opens: '08:00', closes: '12:00' }
    : { day, opens: '14:00', closes: '18:00' };
}

function Time(props: { label: string; value: string; onChange: (time: string) => void }) {
  return (
    <input
      type="time"
      aria-label={props.label}
      value={props.value}
      onChange={(event) => event.target.value && props.onChange(event.target.value)}
      className="rounded-md border border-line-strong bg-raised px-2 py-1"
    />
  );
}
