// @vitest-environment jsdom
import { render, screen } from '@testing-library/react';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { RealtimeConnection } from '@/realtime/connection';
import { FakeSocket } from '@/realtime/fakeSocket';
import type { ClinicProfile, Conversation } from '@/shared/api/types';
import { ConversationRow } from './ConversationRow';
import { ANA, conversation, type message, ownMessage, page } from './fixtures';
import { Inbox } from './inbox';
import { useClinic } from './useClinic';
import { InboxContext } from './useInbox';

let inbox: Inbox;
beforeEach(() => {
  const connection = new RealtimeConnection({ clinicId: 1, createSocket: new FakeSocket().asSocket });
  inbox = new Inbox({ clinicId: 1, member: ANA, connection, onUnauthenticated: () => undefined });
});
afterEach(() => inbox.stop());

const NAMESAKE = { id: 'other', name: ANA.name };
const said = {
  id: 'message 5',
  kind: 'message',
  direction: 'outbound',
  preview: 'Oi',
  at: '2026-11-23T13:00:00Z',
} as const;

function Row(props: { minute?: number; also?: Partial<Conversation> }) {
  const row = conversation('a', 5, { lastMessage: { ...said, authorName: ANA.name }, ...props.also });
  return (
    <ConversationRow
      conversation={row}
      member={ANA}
      clinic={useClinic()}
      selected={false}
      unsent={false}
      minute={props.minute ?? 0}
    />
  );
}

function shownAuthor(): string | null | undefined {
  render(
    <InboxContext value={inbox}>
      <Row />
    </InboxContext>,
  );
  return screen.getByText('Oi', { exact: false }).querySelector('span')?.textContent;
}

const meet = (others: { id: string; name: string }[], also?: Partial<ClinicProfile>) =>
  inbox.ingest({
    kind: 'profile',
    clinic: {
      id: 1,
      version: 1,
      labels: [],
      cannedReplies: [],
      members: [ANA, ...others],
      ...also,
    } as unknown as ClinicProfile,
  });
const hold = (last: ReturnType<typeof message>) =>
  inbox.ingest({ kind: 'messagePage', conversationId: 'a', page: page([last], 5), before: null, life: 0 });

it('one’s own last message is one’s own by name, while nobody shares it', () => {
  meet([{ id: 'bia', name: 'Bia' }]);
  expect(shownAuthor()).toBe('Você: ');
});

it('a namesake’s is not taken for one’s own', () => {
  meet([NAMESAKE]);
  expect(shownAuthor()).toBe('Ana: ');
});

it('with the message at hand, who wrote it says', () => {
  meet([NAMESAKE]);
  hold(ownMessage('a', 5, 'key'));
  expect(shownAuthor()).toBe('Você: ');
});

it('with a colleague’s message at hand, the name is theirs', () => {
  hold(ownMessage('a', 5, 'key', { author: { type: 'member', ...NAMESAKE } }));
  expect(shownAuthor()).toBe('Ana: ');
});

it.each([
  ['open', 1],
  ['resolved', 0],
] as const)('a wait that is too long shows in a row that is %s %d times', (status, marks) => {
  meet([], { waitingLimitMinutes: 30 });
  const also = { status, waitingSince: '2026-11-23T13:00:00Z' };
  render(
    <InboxContext value={inbox}>
      <Row minute={Date.parse('2026-11-23T13:45:00Z')} also={also} />
    </InboxContext>,
  );
  expect(screen.queryAllByText(/45/)).toHaveLength(marks);
});
