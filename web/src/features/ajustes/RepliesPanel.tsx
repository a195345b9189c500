import { Plus, Trash2 } from 'lucide-react';
import type { CannedReply } from '@/shared/api/types';
import { useI18n } from '@/shared/i18n/useI18n';
import { Button } from '@/shared/ui/Button';
import { TextArea, TextField } from '@/shared/ui/Field';
import { ClinicForm, type PanelProps, useClinicForm } from './ClinicForm';
import { IconButton } from './IconButton';
import { keyed, unkeyed } from './keyed';

/** Texts to begin an answer with. */
export function RepliesPanel(props: PanelProps) {
  const { t } = useI18n();
  const { value, change, save, busy, dirty, fieldError, otherErrors } = useClinicForm(props, (clinic) =>
    clinic.cannedReplies.map(keyed),
  );
  const edit = (place: number, patch: Partial<CannedReply>) =>
    change(value.map((reply, at) => (at === place ? { ...reply, ...patch } : reply)));
  return (
    <ClinicForm
      busy={busy}
      dirty={dirty}
      errors={otherErrors((path) => /\.(shortcut|title|body)$/.test(path))}
      onSave={() => void save({ cannedReplies: value.map(unkeyed) })}
    >
      <p className="text-ink-soft text-meta">{t.replies.lead}</p>
      <ul className="space-y-4">
        {value.map((reply, place) => (
          <li key={reply.key} className="space-y-3 rounded-box border border-line bg-raised p-4">
            <div className="flex items-end gap-3">
              <div className="w-32">
                <TextField
                  label={t.replies.shortcut}
                  value={reply.shortcut}
                  maxLength={30}
                  error={fieldError(`cannedReplies[${place}].shortcut`)}
                  onChange={(event) => edit(place, { shortcut: event.target.value.replace(/[\s/]/g, '') })}
                />
              </div>
              <div className="flex-1">
                <TextField
                  label={t.replies.title}
                  value={reply.title}
                  maxLength={100}
                  error={fieldError(`cannedReplies[${place}].title`)}
                  onChange={(event) => edit(place, { title: event.target.value })}
                />
              </div>
              <IconButton
                label={t.replies.remove(reply.title)}
                onClick={() => change(value.filter((_, at) => at !== place))}
              >
                <Trash2 aria-hidden="true" className="size-4" />
              </IconButton>
            </div>
            <TextArea
              label={t.replies.body}
              value={reply.body}
              maxLength={2000}
              error={fieldError(`cannedReplies[${place}].body`)}
              onChange={(event) => edit(place, { body: event.target.value })}
            />
          </li>
        ))}
      </ul>
      <Button
        onClick={() => change([...value, keyed({ shortcut: '', title: '', body: '' })])}
        className="flex items-center gap-1.5"
      >
        <Plus aria-hidden="true" className="size-4" /> {t.replies.add}
      </Button>
    </ClinicForm>
  );
}
