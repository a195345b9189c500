/** The REST calls of this feature (the OpenAPI document describes them). */
import { request } from '@/shared/api/http';
import type {
  ConversationPage,
  Delta,
  Message,
  NewMessage,
  Page,
  ReadMark,
  ReadOrder,
} from '@/shared/api/types';
import type { Asked } from './cache';

const PAGE_SIZE = 50;
const LONG_POLL_S = 25;

export const getConversations = (clinicId: number, before: string | null) =>
  request<ConversationPage>(`/api/v1/clinics/${clinicId}/conversations`, {
    query: { limit: PAGE_SIZE, before },
  });

export const getMessages = (conversationId: string, before: string | null) =>
  request<Page<Message>>(`/api/v1/conversations/${conversationId}/messages`, {
    query: { limit: PAGE_SIZE, before },
  });

export const postMessage = (conversationId: string, message: NewMessage) =>
  request<Message>(`/api/v1/conversations/${conversationId}/messages`, { method: 'POST', body: message });

export const putRead = ({ conversationId, ...order }: ReadOrder) =>
  request<ReadMark>(`/api/v1/conversations/${conversationId}/read`, { method: 'PUT', body: order });

/** Waits up to 25 s for something to change; without `after` it answers the cursor at once. */
export const getChanges = (clinicId: number, asked: Asked, signal: AbortSignal) =>
  request<Delta>(`/api/v1/clinics/${clinicId}/changes`, {
    query: { after: asked.after, conversationIds: asked.conversationIds.join(','), wait: LONG_POLL_S },
    signal,
    timeoutMs: (LONG_POLL_S + 10) * 1000,
  });
