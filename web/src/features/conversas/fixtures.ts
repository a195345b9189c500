/** Rows for the tests of this folder. */
import type { ConversationListPacket, MessagePacket, ReadPacket } from '@/realtime/events';
import type { Conversation, Message, Page, ReadMark } from '@/shared/api/types';

export const ANA = { id: 'ana', name: 'Ana Ribeiro', email: 'ana@clinica.test' };
const AT = Date.UTC(2026, 10, 23, 13, 0);

export const timeOf = (seq: number) => new Date(AT + seq * 60_000).toISOString();

export const conversation = (
  id: string,
  version: number,
  more: Partial<Conversation> = {},
): Conversation => ({
  id,
  clinicId: 1,
  contact: { id: `contact of ${id}`, name: `Paciente ${id}`, address: '+55 11 90000-0000' },
  channel: { id: 'channel', kind: 'generic' },
  status: 'open',
  labels: [],
  lastSeq: version,
  inboundCount: 0,
  createdAt: timeOf(0),
  version,
  ...more,
});

export const message = (conversationId: string, seq: number, more: Partial<Message> = {}): Message => ({
  id: `message ${seq}`,
  conversationId,
  kind: 'message',
  direction: 'inbound',
  author: { type: 'contact', id: `contact of ${conversationId}`, name: `Paciente ${conversationId}` },
  body: `texto ${seq}`,
  attachments: [],
  status: 'received',
  seq,
  version: seq,
  createdAt: timeOf(seq),
  ...more,
});

export const ownMessage = (
  conversationId: string,
  seq: number,
  clientKey: string,
  more: Partial<Message> = {},
) =>
  message(conversationId, seq, {
    direction: 'outbound',
    author: { type: 'member', id: ANA.id, name: ANA.name },
    status: 'queued',
    clientKey,
    ...more,
  });

export const listPacket = (row: Conversation, seq = row.version): ConversationListPacket => ({
  conversationId: row.id,
  clinicId: row.clinicId,
  eventType: 'updated',
  timestamp: timeOf(seq),
  seq,
  conversation: row,
});

export const messagePacket = (row: Message): MessagePacket => ({
  conversationId: row.conversationId,
  message: row,
  timestamp: timeOf(row.version),
  seq: row.version,
});

export const readMark = (
  conversationId: string,
  version: number,
  more: Partial<ReadMark> = {},
): ReadMark => ({
  conversationId,
  memberId: ANA.id,
  upTo: version,
  inboundRead: 0,
  version,
  ...more,
});

export const readPacket = (read: ReadMark): ReadPacket => ({ read, seq: read.version });

/** Newest first, as the server gives it. */
export const page = <Row>(items: Row[], seq: number, before: string | null = null): Page<Row> => ({
  items,
  before,
  seq,
});
