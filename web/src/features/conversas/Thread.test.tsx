// @vitest-environment jsdom
import { act, renderHook } from '@testing-library/react';
import { expect, it } from 'vitest';
import { RealtimeConnection } from '@/realtime/connection';
import { FakeSocket } from '@/realtime/fakeSocket';
import {
  ANA,
  conversation,
  listPacket,
  message,
  messagePacket,
  page,
  readMark,
  readPacket,
} from './fixtures';
import { Inbox } from './inbox';
import { useNewSince } from './Thread';
import { InboxContext } from './useInbox';

const newInbox = () =>
  new Inbox({
    clinicId: 1,
    member: ANA,
    connection: new RealtimeConnection({ clinicId: 1, createSocket: new FakeSocket().asSocket }),
    onUnauthenticated: () => undefined,
  });

/** Conversation `a` with two messages, read up to `upTo`. */
function opened(upTo: number) {
  const inbox = newInbox();
  const [life, before] = [0, null];
  const rows = [conversation('a', 5, { inboundCount: 2 })];
  const reads = [readMark('a', 6, { upTo, inboundRead: upTo - 3 })];
  inbox.ingest({ kind: 'clinicAnswer', asked: { conversationIds: [] }, answer: { cursor: 'e:6' } });
  inbox.ingest({ kind: 'conversationPage', page: { ...page(rows, 6), reads }, before, life });
  const messages = [message('a', 5, { ordinal: 2 }), message('a', 4, { ordinal: 1 })];
  inbox.ingest({ kind: 'messagePage', conversationId: 'a', page: page(messages, 6), before, life });
  inbox.ingest({ kind: 'conversationAnswer', conversationId: 'a', answer: { cursor: 'e:6' } });
  const { result } = renderHook(() => useNewSince('a'), {
    wrapper: ({ children }) => <InboxContext value={inbox}>{children}</InboxContext>,
  });
  const arrives = (seq: number) =>
    act(() => {
      inbox.ingest({ kind: 'conversationPacket', packet: messagePacket(message('a', seq, { ordinal: 3 })) });
      inbox.ingest({ kind: 'clinicPacket', packet: listPacket(conversation('a', seq, { inboundCount: 3 })) });
    });
  const isRead = (seq: number) =>
    act(() =>
      inbox.ingest({ kind: 'readPacket', packet: readPacket(readMark('a', seq, { inboundRead: 3 })) }),
    );
  return { result, arrives, isRead };
}

it('the divider stands where the mark stood when the thread was opened, whatever is read and written since', () => {
  const { result, arrives, isRead } = opened(4);
  expect(result.current).toBe(4);
  arrives(7);
  isRead(8);
  expect(result.current).toBe(4);
});

it('in a thread that was opened with nothing new there is no divider, also before what comes is marked as read', () => {
  const { result, arrives, isRead } = opened(5);
  expect(result.current).toBeNull();
  arrives(7);
  expect(result.current).toBeNull();
  isRead(8);
  expect(result.current).toBeNull();
});
