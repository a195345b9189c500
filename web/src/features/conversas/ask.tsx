import { type FormEvent, type ReactNode, useState } from 'react';
import { useI18n } from '@/shared/i18n/useI18n';
import { Button } from '@/shared/ui/Button';
import { Dialog, DialogButtons } from '@/shared/ui/Dialog';
import { TextArea, TextField } from '@/shared/ui/Field';
import { localInput } from './snooze';

/** One question in a dialog. `onAnswer` gives back what is wrong with the answer, or nothing and the dialog closes. */
function Ask(props: { title: string; onClose: () => void; onSubmit: () => boolean; children: ReactNode }) {
  const { t } = useI18n();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (props.onSubmit()) props.onClose();
  };
  return (
    <Dialog title={props.title} onClose={props.onClose}>
      <form onSubmit={submit} noValidate>
        {props.children}
        <DialogButtons>
          <Button onClick={props.onClose}>{t.dialog.cancel}</Button>
          <Button type="submit" look="primary">
            {t.dialog.save}
          </Button>
        </DialogButtons>
      </form>
    </Dialog>
  );
}

interface AskTextProps {
  title: string;
  label: string;
  value: string;
  maxLength: number;
  long?: boolean;
  onClose: () => void;
  onAnswer: (text: string) => void;
}

export function AskText(props: AskTextProps) {
  const { t } = useI18n();
  const [text, setText] = useState(props.value);
  const [empty, setEmpty] = useState(false);
  const field = {
    label: props.label,
    value: text,
    maxLength: props.maxLength,
    error: empty ? t.fields.empty : undefined,
  };
  const submit = () => {
    const words = text.trim();
    if (!words) setEmpty(true);
    else if (words !== props.value) props.onAnswer(words);
    return words !== '';
  };
  return (
    <Ask title={props.title} onClose={props.onClose} onSubmit={submit}>
      {props.long ? (
        <TextArea {...field} onChange={(event) => setText(event.target.value)} />
      ) : (
        <TextField {...field} onChange={(event) => setText(event.target.value)} />
      )}
    </Ask>
  );
}

export function AskWhen(props: { title: string; onClose: () => void; onAnswer: (when: Date) => void }) {
  const { t } = useI18n();
  const [text, setText] = useState(() => localInput(new Date(Date.now() + 24 * 3_600_000)));
  const [past, setPast] = useState(false);
  const submit = () => {
    const when = new Date(text);
    const ahead = when.getTime() > Date.now();
    setPast(!ahead);
    if (ahead) props.onAnswer(when);
    return ahead;
  };
  return (
    <Ask title={props.title} onClose={props.onClose} onSubmit={submit}>
      <TextField
        label={t.actions.snoozeWhen}
        type="datetime-local"
        value={text}
        min={localInput(new Date())}
        error={past ? t.actions.snoozePast : undefined}
        onChange={(event) => setText(event.target.value)}
      />
    </Ask>
  );
}
