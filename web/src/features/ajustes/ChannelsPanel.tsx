import { Plus } from 'lucide-react';
import { useState } from 'react';
import type { Channel } from '@/shared/api/types';
import { errorText } from '@/shared/i18n/catalogue';
import { useI18n } from '@/shared/i18n/useI18n';
import { Button } from '@/shared/ui/Button';
import { Confirm } from '@/shared/ui/Dialog';
import { patchChannel, postChannelSecret } from './api';
import { ChannelCard } from './ChannelCard';
import { ChannelForm } from './ChannelForm';
import { useChannels } from './useChannels';
import { useSaving } from './useSaving';

type Asked = { kind: 'add' } | { kind: 'edit' | 'rotate' | 'switchOff'; channel: Channel };

/** The clinic's ways to its patients: where their providers post to, with which keys, and whether something comes. */
export function ChannelsPanel({ clinicId }: { clinicId: number }) {
  const { t } = useI18n();
  const { channels, failed, read } = useChannels(clinicId);
  const { busy, save } = useSaving();
  const [asked, setAsked] = useState<Asked>();
  /** Which channels were changed how often, and whether their keys are to be told now: they are new. */
  const [changed, setChanged] = useState<Record<string, { times: number; told: boolean }>>({});

  const done = (channel: Channel, told: boolean) => {
    setAsked(undefined);
    setChanged((before) => ({
      ...before,
      [channel.id]: { times: (before[channel.id]?.times ?? 0) + 1, told },
    }));
    read();
  };
  const change = async (channel: Channel, active: boolean) => {
    setAsked(undefined);
    const answer = await save(() => patchChannel(clinicId, channel.id, { active }), t.settings.saved);
    if (answer) done(answer, false);
  };
  const rotate = async (channel: Channel) => {
    setAsked(undefined);
    const answer = await save(() => postChannelSecret(clinicId, channel.id), t.channels.rotated);
    if (answer) done(answer, true);
  };
  return (
    <div className="space-y-5">
      <p className="text-ink-soft text-meta">{t.channels.lead}</p>
      {failed && (
        <p role="alert" className="text-broken text-meta">
          {errorText(t, failed)} <Button onClick={read}>{t.list.retry}</Button>
        </p>
      )}
      {channels?.length === 0 && (
        <p className="rounded-box border border-line border-dashed px-4 py-6 text-center text-ink-soft">
          {t.channels.none}
        </p>
      )}
      {channels && channels.length > 0 && (
        <ul className="space-y-4">
          {channels.map((channel) => (
            <ChannelCard
              key={channel.id}
              clinicId={clinicId}
              channel={channel}
              changed={changed[channel.id]}
              busy={busy}
              onEdit={() => setAsked({ kind: 'edit', channel })}
              onRotate={() => setAsked({ kind: 'rotate', channel })}
              onSwitch={() =>
                channel.active ? setAsked({ kind: 'switchOff', channel }) : void change(channel, true)
              }
            />
          ))}
        </ul>
      )}
      <Button
        look="primary"
        onClick={() => setAsked({ kind: 'add' })}
        className="inline-flex items-center gap-2"
      >
        <Plus aria-hidden="true" className="size-4" /> {t.channels.add}
      </Button>
      {(asked?.kind === 'add' || asked?.kind === 'edit') && (
        <ChannelForm
          clinicId={clinicId}
          channel={asked.kind === 'edit' ? asked.channel : undefined}
          onClose={() => setAsked(undefined)}
          onSaved={(channel) => done(channel, asked.kind === 'add')}
        />
      )}
      {asked?.kind === 'rotate' && (
        <Confirm
          title={t.channels.rotateTitle(asked.channel.name)}
          text={t.channels.rotateText[asked.channel.kind]}
          action={t.channels.rotate[asked.channel.kind]}
          onClose={() => setAsked(undefined)}
          onConfirm={() => void rotate(asked.channel)}
        />
      )}
      {asked?.kind === 'switchOff' && (
        <Confirm
          title={t.channels.switchOffTitle(asked.channel.name)}
          text={t.channels.switchOffText}
          action={t.channels.switchOff}
          onClose={() => setAsked(undefined)}
          onConfirm={() => void change(asked.channel, false)}
        />
      )}
    </div>
  );
}
