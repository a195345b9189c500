import { expect, it } from 'vitest';
import type { Channel } from '@/shared/api/types';
import { changeOf, draftOf, newOf } from './channelDraft';

const PHONE: Channel = {
  id: 'c',
  kind: 'whatsapp',
  name: 'WhatsApp',
  active: true,
  address: 'https://recado.example/api/v1/channels/c/whatsapp',
  hasSecret: true,
  hasAccessToken: true,
  phoneNumberId: '106',
};

it('a new channel says what was filled in, without what its kind does not have', () => {
  const draft = { ...draftOf(undefined), name: 'Site', accessToken: ' t ', phoneNumberId: '1' };
  expect(newOf(draft)).toEqual({ kind: 'whatsapp', name: 'Site', accessToken: 't', phoneNumberId: '1' });
  expect(newOf({ ...draft, kind: 'generic', outboundUrl: ' https://x ' })).toEqual({
    kind: 'generic',
    name: 'Site',
    outboundUrl: 'https://x',
  });
});

it('a change names what differs: an emptied setting goes, an empty key stays', () => {
  const draft = draftOf(PHONE);
  expect(changeOf(draft, PHONE)).toEqual({});
  expect(changeOf({ ...draft, name: 'Outro', phoneNumberId: '', secret: 's' }, PHONE)).toEqual({
    name: 'Outro',
    phoneNumberId: null,
    secret: 's',
  });
});

it('keys that the server keeps are not in the form', () => {
  expect(draftOf(PHONE)).toMatchObject({ accessToken: '', secret: '' });
});
