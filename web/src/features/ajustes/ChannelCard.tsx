import { Eye, EyeOff, MessageCircle, Webhook } from 'lucide-react';
import { useEffect, useState } from 'react';
import type { Channel, ChannelSecrets } from '@/shared/api/types';
import type { Messages } from '@/shared/i18n/catalogue';
import { useI18n } from '@/shared/i18n/useI18n';
import { fullTime, listTime } from '@/shared/lib/format';
import { Button } from '@/shared/ui/Button';
import { getChannelSecrets } from './api';
import { CopyLine } from './CopyLine';
import { useSaving } from './useSaving';

interface ChannelCardProps {
  clinicId: number;
  channel: Channel;
  /** Keys that are shown are hidden again when the channel changes, or told at once when they are `told`. */
  changed: { times: number; told: boolean } | undefined;
  busy: boolean;
  onEdit: () => void;
  onRotate: () => void;
  onSwitch: () => void;
}

export function ChannelCard({ clinicId, channel, changed, busy, ...on }: ChannelCardProps) {
  const { t } = useI18n();
  const Icon = channel.kind === 'whatsapp' ? MessageCircle : Webhook;
  const lacks = channel.active ? lacking(channel, t) : [];
  return (
    <li aria-label={channel.name} className="rounded-box border border-line bg-raised">
      <header className="flex items-center gap-3 border-line border-b px-4 py-3">
        <span className="grid size-9 shrink-0 place-items-center rounded-full bg-sunken text-ink-soft">
          <Icon aria-hidden="true" className="size-4.5" />
        </span>
        <div className="min-w-0 flex-1">
          <h3 className="truncate font-medium">{channel.name}</h3>
          <p className="text-ink-soft text-meta">{t.channels.kinds[channel.kind]}</p>
        </div>
        <Chip channel={channel} complete={lacks.length === 0} />
      </header>
      <div className="space-y-4 px-4 py-3.5">
        {lacks.length > 0 && (
          <ul className="space-y-1 rounded-md bg-waiting-tint px-3 py-2 text-meta text-waiting">
            {lacks.map((words) => (
              <li key={words}>{words}</li>
            ))}
          </ul>
        )}
        <LifeSigns channel={channel} />
        <CopyLine label={t.channels.address} value={channel.address} />
        <Keys key={changed?.times} clinicId={clinicId} channel={channel} shown={changed?.told ?? false} />
        <div className="flex flex-wrap gap-2">
          <Button disabled={busy} onClick={on.onEdit} aria-label={t.channels.editOf(channel.name)}>
            {t.channels.edit}
          </Button>
          <Button disabled={busy} onClick={on.onRotate}>
            {t.channels.rotate[channel.kind]}
          </Button>
          <Button
            disabled={busy}
            onClick={on.onSwitch}
            aria-label={
              channel.active ? t.channels.switchOffOf(channel.name) : t.channels.switchOnOf(channel.name)
            }
          >
            {channel.active ? t.channels.switchOff : t.channels.switchOn}
          </Button>
        </div>
      </div>
    </li>
  );
}

/** What the channel cannot do as it is set up now. */
function lacking(channel: Channel, t: Messages): string[] {
  const { lacks } = t.channels;
  if (channel.kind === 'generic') return channel.outboundUrl ? [] : [lacks.outboundUrl];
  return [
    ...(channel.address.startsWith('https:') ? [] : [lacks.https]),
    ...(channel.hasSecret ? [] : [lacks.secret]),
    ...(channel.phoneNumberId ? [] : [lacks.phoneNumberId]),
    ...(channel.hasAccessToken ? [] : [lacks.accessToken]),
  ];
}

function Chip({ channel, complete }: { channel: Channel; complete: boolean }) {
  const { t } = useI18n();
  const [look, words] = !channel.active
    ? ['bg-sunken text-ink-soft', t.channels.off]
    : complete
      ? ['bg-live-tint text-live', t.channels.on]
      : ['bg-waiting-tint text-waiting', t.channels.incomplete];
  return <span className={`shrink-0 rounded-full px-2.5 py-0.5 font-medium text-mini ${look}`}>{words}</span>;
}

function LifeSigns({ channel }: { channel: Channel }) {
  const { t, locale } = useI18n();
  const now = new Date();
  const signs = [
    [t.channels.lastIn, channel.lastInboundAt],
    [t.channels.lastOut, channel.lastOutboundAt],
  ] as const;
  return (
    <dl className="grid gap-x-4 gap-y-2 text-meta sm:grid-cols-2">
      {signs.map(([words, at]) => (
        <div key={words}>
          <dt className="text-ink-soft">{words}</dt>
          <dd className="tabular-nums">
            {at ? (
              <time dateTime={at} title={fullTime(locale, new Date(at))}>
                {listTime(locale, new Date(at), now, t.list.yesterday)}
              </time>
            ) : (
              t.channels.never
            )}
          </dd>
        </div>
      ))}
    </dl>
  );
}

/** Asked for when somebody wants to see them, and kept no longer than they are seen. */
function Keys({ clinicId, channel, shown }: { clinicId: number; channel: Channel; shown: boolean }) {
  const { t } = useI18n();
  const { busy, save } = useSaving();
  const [wanted, setWanted] = useState(shown);
  const [keys, setKeys] = useState<ChannelSecrets>();
  // biome-ignore lint/correctness/useExhaustiveDependencies: asked once each time they are wanted
  useEffect(() => {
    setKeys(undefined);
    if (!wanted) return;
    void save(() => getChannelSecrets(clinicId, channel.id), null).then((told) => {
      setKeys(told);
      setWanted(told !== undefined);
    });
  }, [wanted, clinicId, channel.id]);
  return (
    <div className="space-y-3">
      {keys && (
        <>
          {keys.secret ? (
            <CopyLine label={t.channels.secret[channel.kind]} value={keys.secret} />
          ) : (
            <p className="text-ink-soft text-meta">{t.channels.noSecret}</p>
          )}
          {keys.verifyToken && <CopyLine label={t.channels.verifyToken} value={keys.verifyToken} />}
        </>
      )}
      <Button
        disabled={busy}
        onClick={() => setWanted(!wanted)}
        className="inline-flex items-center gap-2"
        aria-expanded={keys !== undefined}
      >
        {keys ? (
          <EyeOff aria-hidden="true" className="size-4" />
        ) : (
          <Eye aria-hidden="true" className="size-4" />
        )}
        {keys ? t.channels.hideKeys : t.channels.showKeys}
      </Button>
    </div>
  );
}
