import { Plus, Trash2 } from 'lucide-react';
import { useI18n } from '@/shared/i18n/useI18n';
import { Button } from '@/shared/ui/Button';
import { TextField } from '@/shared/ui/Field';
import { ClinicForm, type PanelProps, useClinicForm } from './ClinicForm';
import { IconButton } from './IconButton';
import { type Keyed, keyed, unkeyed } from './keyed';

const COLOURS = ['#0f766e', '#b45309', '#7c3aed', '#be123c', '#1d4ed8', '#4d7c0f'];

/** What conversations may be labelled with. */
export function LabelsPanel(props: PanelProps) {
  const { t } = useI18n();
  const { value, change, save, busy, dirty, fieldError, otherErrors } = useClinicForm(props, (clinic) =>
    clinic.labels.map(keyed),
  );
  const edit = (place: number, patch: Partial<Keyed<{ name: string; colour: string }>>) =>
    change(value.map((label, at) => (at === place ? { ...label, ...patch } : label)));
  return (
    <ClinicForm
      busy={busy}
      dirty={dirty}
      errors={otherErrors((path) => path.endsWith('.name'))}
      onSave={() => void save({ labels: value.map(unkeyed) })}
    >
      <p className="text-ink-soft text-meta">{t.labels.lead}</p>
      <ul className="space-y-3">
        {value.map((label, place) => (
          <li key={label.key} className="flex items-start gap-3">
            <label className="block">
              <span className="sr-only">{t.labels.colourOf(label.name)}</span>
              <input
                type="color"
                value={label.colour}
                onChange={(event) => edit(place, { colour: event.target.value })}
                className="block h-10 w-12 cursor-pointer rounded-box border border-line-strong bg-raised p-1"
              />
            </label>
            <div className="flex-1">
              <TextField
                bare
                label={t.labels.name}
                placeholder={t.labels.name}
                value={label.name}
                maxLength={50}
                error={fieldError(`labels[${place}].name`)}
                onChange={(event) => edit(place, { name: event.target.value })}
              />
            </div>
            <IconButton
              label={t.labels.remove(label.name)}
              onClick={() => change(value.filter((_, at) => at !== place))}
            >
              <Trash2 aria-hidden="true" className="size-4" />
            </IconButton>
          </li>
        ))}
      </ul>
      <Button
        onClick={() =>
          change([...value, keyed({ name: '', colour: COLOURS[value.length % COLOURS.length] ?? '#0f766e' })])
        }
        className="flex items-center gap-1.5"
      >
        <Plus aria-hidden="true" className="size-4" /> {t.labels.add}
      </Button>
    </ClinicForm>
  );
}
