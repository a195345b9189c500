/** A channel's form → what is asked of the server. Pure. A key that was left empty stays what it is. */
import type { Channel, ChannelChange, NewChannel } from '@/shared/api/types';

export interface ChannelDraft {
  kind: Channel['kind'];
  name: string;
  phoneNumberId: string;
  accessToken: string;
  secret: string;
  outboundUrl: string;
}

export const draftOf = (channel: Channel | undefined): ChannelDraft => ({
  kind: channel?.kind ?? 'whatsapp',
  name: channel?.name ?? '',
  phoneNumberId: channel?.phoneNumberId ?? '',
  accessToken: '',
  secret: '',
  outboundUrl: channel?.outboundUrl ?? '',
});

export function newOf(draft: ChannelDraft): NewChannel {
  const { kind, name } = draft;
  return { kind, name, ...given(keysOf(draft)), ...given(settingsOf(draft)) };
}

/** Only what differs: two admins who change two settings do not undo each other. */
export function changeOf(draft: ChannelDraft, channel: Channel): ChannelChange {
  const before = { name: channel.name, ...settingsOf(draftOf(channel)) };
  const after = { name: draft.name, ...settingsOf(draft) };
  const changed = Object.entries(after).filter(
    ([name, value]) => value !== before[name as keyof typeof before],
  );
  return {
    ...Object.fromEntries(changed.map(([name, value]) => [name, value === '' ? null : value])),
    ...given(keysOf(draft)),
  };
}

const keysOf = ({ kind, accessToken, secret }: ChannelDraft) =>
  kind === 'whatsapp'
    ? { accessToken: accessToken.trim(), secret: secret.trim() }
    : { secret: secret.trim() };

const settingsOf = ({ kind, phoneNumberId, outboundUrl }: ChannelDraft) =>
  kind === 'whatsapp'
    ? { phoneNumberId, outboundUrl: outboundUrl.trim() }
    : { outboundUrl: outboundUrl.trim() };

const given = <Fields extends Record<string, string>>(fields: Fields): Partial<Fields> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== '')) as Partial<Fields>;
