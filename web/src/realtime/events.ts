/** The names and payloads of the socket's events (docs/events.md). */
import type {
  ClinicProfile,
  Conversation,
  ConversationChange,
  Delta,
  Message,
  NewMessage,
  ReadMark,
  ReadOrder,
} from '@/shared/api/types';

export interface MessagePacket {
  conversationId: string;
  message: Message;
  timestamp: string;
  seq: number;
  clientKey?: string;
}

export interface ConversationListPacket {
  conversationId: string;
  clinicId: number;
  eventType: 'new' | 'updated' | 'deleted';
  timestamp: string;
  seq: number;
  clientKey?: string;
  conversation: Conversation;
}

export interface ReadPacket {
  read: ReadMark;
  seq: number;
  clientKey?: string;
}

export interface ClinicPacket {
  clinic: ClinicProfile;
  seq: number;
  clientKey?: string;
}

export interface ServerEvents {
  'message:new': MessagePacket;
  'message:updated': MessagePacket;
  'conversation:list:updated': ConversationListPacket;
  'conversation:read': ReadPacket;
  'clinic:updated': ClinicPacket;
  'clinic:tick': { seq: number };
  'clinic:connections': { count: number };
  'server:draining': { reconnectInMs: number };
  'session:expiring': { expiresAt: string };
}

type MaybeDelta = { cursor: string } & Partial<Delta>;

/** Event → what it carries and what its acknowledgement adds to `{ok: true}`. */
export interface ClientEvents {
  'clinic:join': {
    payload: { clinicId: number; after?: string; conversationIds?: string[] };
    answer: MaybeDelta & { connections: number; server: { version: string } };
  };
  'conversation:join': { payload: { conversationId: string; after?: string }; answer: MaybeDelta };
  'conversation:leave': { payload: { conversationId: string }; answer: object };
  'message:send': { payload: NewMessage & { conversationId: string }; answer: { message: Message } };
  'message:edit': {
    payload: { clientKey: string; messageId: string; body: string };
    answer: { message: Message };
  };
  'message:delete': { payload: { clientKey: string; messageId: string }; answer: { message: Message } };
  'conversation:update': {
    payload: ConversationChange & { clientKey: string; conversationId: string };
    answer: { conversation: Conversation };
  };
  'conversation:delete': {
    payload: { clientKey: string; conversationId: string };
    answer: { conversation: Conversation };
  };
  'contact:rename': {
    payload: { clientKey: string; conversationId: string; name: string };
    answer: { conversation: Conversation };
  };
  'message:read': { payload: ReadOrder; answer: { read: ReadMark } };
}

export type Acknowledgement<Answer> =
  | ({ ok: true } & Answer)
  | { ok: false; error: { code: string; message: string; retryable: boolean } };
