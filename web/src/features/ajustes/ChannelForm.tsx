import { type FormEvent, useState } from 'react';
import type { Channel } from '@/shared/api/types';
import { useI18n } from '@/shared/i18n/useI18n';
import { Button } from '@/shared/ui/Button';
import { Dialog, DialogButtons } from '@/shared/ui/Dialog';
import { SelectField, TextField } from '@/shared/ui/Field';
import { patchChannel, postChannel } from './api';
import { changeOf, draftOf, newOf } from './channelDraft';
import { useSaving } from './useSaving';

interface ChannelFormProps {
  clinicId: number;
  /** Under edit; without one a new channel is made. */
  channel: Channel | undefined;
  onClose: () => void;
  onSaved: (channel: Channel) => void;
}

export function ChannelForm({ clinicId, channel, onClose, onSaved }: ChannelFormProps) {
  const { t } = useI18n();
  const { busy, save, fieldError, otherErrors } = useSaving();
  const [draft, setDraft] = useState(() => draftOf(channel));
  const set = (patch: Partial<typeof draft>) => setDraft({ ...draft, ...patch });
  const whatsapp = draft.kind === 'whatsapp';
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    const answer = await save(
      () =>
        channel
          ? patchChannel(clinicId, channel.id, changeOf(draft, channel))
          : postChannel(clinicId, newOf(draft)),
      t.settings.saved,
    );
    if (answer) onSaved(answer);
  };
  const others = otherErrors((path) =>
    ['name', 'phoneNumberId', 'accessToken', 'secret', 'outboundUrl'].includes(path),
  );
  return (
    <Dialog title={channel ? t.channels.editOf(channel.name) : t.channels.add} onClose={onClose}>
      <form onSubmit={submit} noValidate autoComplete="off" className="space-y-4">
        {!channel && (
          <SelectField
            label={t.channels.kind}
            value={draft.kind}
            onChange={(event) => set({ kind: event.target.value as Channel['kind'] })}
          >
            <option value="whatsapp">{t.channels.kinds.whatsapp}</option>
            <option value="generic">{t.channels.kinds.generic}</option>
          </SelectField>
        )}
        <TextField
          label={t.channels.name}
          value={draft.name}
          maxLength={100}
          error={fieldError('name')}
          onChange={(event) => set({ name: event.target.value })}
        />
        {whatsapp && (
          <>
            <TextField
              label={t.channels.phoneNumberId}
              hint={t.channels.phoneNumberIdHint}
              inputMode="numeric"
              value={draft.phoneNumberId}
              maxLength={32}
              error={fieldError('phoneNumberId')}
              onChange={(event) => set({ phoneNumberId: event.target.value.replace(/\D/g, '') })}
            />
            <TextField
              label={t.channels.accessToken}
              hint={channel?.hasAccessToken ? t.channels.keptHint : t.channels.accessTokenHint}
              type="password"
              autoComplete="off"
              value={draft.accessToken}
              error={fieldError('accessToken')}
              onChange={(event) => set({ accessToken: event.target.value })}
            />
          </>
        )}
        <TextField
          label={t.channels.secret[draft.kind]}
          hint={channel?.hasSecret ? t.channels.keptHint : t.channels.secretHint[draft.kind]}
          type="password"
          autoComplete="off"
          value={draft.secret}
          error={fieldError('secret')}
          onChange={(event) => set({ secret: event.target.value })}
        />
        <TextField
          label={t.channels.outboundUrl[draft.kind]}
          hint={t.channels.outboundUrlHint[draft.kind]}
          type="url"
          value={draft.outboundUrl}
          maxLength={2000}
          error={fieldError('outboundUrl') && t.channels.outboundUrlWrong}
          onChange={(event) => set({ outboundUrl: event.target.value })}
        />
        {others.length > 0 && (
          <p role="alert" className="text-broken text-meta">
            {others.join(' ')}
          </p>
        )}
        <DialogButtons>
          <Button onClick={onClose}>{t.dialog.cancel}</Button>
          <Button type="submit" look="primary" disabled={busy}>
            {t.dialog.save}
          </Button>
        </DialogButtons>
      </form>
    </Dialog>
  );
}
