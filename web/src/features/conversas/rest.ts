/** The REST calls of this feature (the OpenAPI document describes them). */
import { request } from '@/shared/api/http';
import type {
  ClinicProfile,
  Conversation,
  ConversationChange,
  ConversationPage,
  Delta,
  Message,
  NewMessage,
  Page,
  ReadMark,
  ReadOrder,
  SearchPage,
} from '@/shared/api/types';
import type { Asked } from './arrivals';
import type { Filter } from './filters';

const PAGE_SIZE = 50;
const LONG_POLL_S = 25;

export const getConversations = (clinicId: number, before: string | null, filter: Filter = {}) =>
  request<ConversationPage>(`/api/v1/clinics/${clinicId}/conversations`, {
    query: {
      limit: PAGE_SIZE,
      before,
      status: filter.status,
      assigneeId: filter.assigneeId,
      label: filter.label,
      unread: filter.unread ? 'true' : undefined,
    },
  });

export const getClinic = (clinicId: number) => request<ClinicProfile>(`/api/v1/clinics/${clinicId}`);

export const getConversation = (conversationId: string) =>
  request<Conversation>(`/api/v1/conversations/${conversationId}`);

export const getMessages = (conversationId: string, before: string | null, limit = PAGE_SIZE) =>
  request<Page<Message>>(`/api/v1/conversations/${conversationId}/messages`, { query: { limit, before } });

export const getSearch = (clinicId: number, q: string, before: string | null, signal: AbortSignal) =>
  request<SearchPage>(`/api/v1/clinics/${clinicId}/search`, { query: { q, limit: 30, before }, signal });

export const postMessage = (conversationId: string, message: NewMessage) =>
  request<Message>(`/api/v1/conversations/${conversationId}/messages`, { method: 'POST', body: message });

export const patchMessage = (messageId: string, order: { clientKey: string; body: string }) =>
  request<Message>(`/api/v1/messages/${messageId}`, { method: 'PATCH', body: order });

export const deleteMessage = (messageId: string, clientKey: string) =>
  request<Message>(`/api/v1/messages/${messageId}`, { method: 'DELETE', clientKey });

export const putRead = ({ conversationId, ...order }: ReadOrder) =>
  request<ReadMark>(`/api/v1/conversations/${conversationId}/read`, { method: 'PUT', body: order });

export const patchConversation = (
  conversationId: string,
  change: ConversationChange & { clientKey: string },
) => request<Conversation>(`/api/v1/conversations/${conversationId}`, { method: 'PATCH', body: change });

export const patchContact = (conversationId: string, order: { clientKey: string; name: string }) =>
  request<Conversation>(`/api/v1/conversations/${conversationId}/contact`, { method: 'PATCH', body: order });

export const deleteConversation = (conversationId: string, clientKey: string) =>
  request<Conversation>(`/api/v1/conversations/${conversationId}`, { method: 'DELETE', clientKey });

/** Waits up to 25 s for something to change; without `after` it answers the cursor at once. */
export const getChanges = (clinicId: number, asked: Asked, signal: AbortSignal) =>
  request<Delta>(`/api/v1/clinics/${clinicId}/changes`, {
    query: { after: asked.after, conversationIds: asked.conversationIds.join(','), wait: LONG_POLL_S },
    signal,
    timeoutMs: (LONG_POLL_S + 10) * 1000,
  });
