/** The REST calls of this feature (the OpenAPI document describes them). */
import { answerOf, api, within } from '@/shared/api/client';
import type { ConversationChange, Message, NewMessage, Page, ReadOrder } from '@/shared/api/types';
import type { Asked } from './arrivals';
import type { Filter } from './filters';

const PAGE_SIZE = 50;
const LONG_POLL_S = 25;

/** Where a page begins, and what the screen has seen: no node answers with anything older than that cursor. */
export interface AskedPage {
  readonly before: string | null;
  readonly seen: string | null;
}

export const getConversations = (clinicId: number, { before, seen }: AskedPage, filter: Filter = {}) =>
  answerOf(
    api.GET('/api/v1/clinics/{clinicId}/conversations', {
      params: {
        path: { clinicId },
        query: { limit: PAGE_SIZE, ...present({ before, ...filter }) },
        header: notBefore(seen),
      },
    }),
  );

export const getClinic = (clinicId: number, seen: string | null) =>
  answerOf(
    api.GET('/api/v1/clinics/{clinicId}', { params: { path: { clinicId }, header: notBefore(seen) } }),
  );

export const getMessages = (
  conversationId: string,
  { before, seen }: AskedPage,
  limit = PAGE_SIZE,
): Promise<Page<Message>> =>
  answerOf(
    api.GET('/api/v1/conversations/{conversationId}/messages', {
      params: {
        path: { conversationId },
        query: { limit, ...present({ before }) },
        header: notBefore(seen),
      },
    }),
  );

export const getSearch = (clinicId: number, q: string, before: string | null, signal: AbortSignal) =>
  answerOf(
    api.GET('/api/v1/clinics/{clinicId}/search', {
      params: { path: { clinicId }, query: { q, limit: 30, ...present({ before }) } },
      signal,
    }),
  );

export const postMessage = (conversationId: string, body: NewMessage) =>
  answerOf(
    api.POST('/api/v1/conversations/{conversationId}/messages', {
      params: { path: { conversationId } },
      body,
    }),
  );

export const patchMessage = (messageId: string, body: { clientKey: string; body: string }) =>
  answerOf(api.PATCH('/api/v1/messages/{messageId}', { params: { path: { messageId } }, body }));

export const deleteMessage = (messageId: string, clientKey: string) =>
  answerOf(
    api.DELETE('/api/v1/messages/{messageId}', {
      params: { path: { messageId }, header: { 'Idempotency-Key': clientKey } },
    }),
  );

export const putRead = ({ conversationId, ...body }: ReadOrder) =>
  answerOf(
    api.PUT('/api/v1/conversations/{conversationId}/read', { params: { path: { conversationId } }, body }),
  );

export const patchConversation = (conversationId: string, body: ConversationChange & { clientKey: string }) =>
  answerOf(
    api.PATCH('/api/v1/conversations/{conversationId}', { params: { path: { conversationId } }, body }),
  );

export const patchContact = (conversationId: string, body: { clientKey: string; name: string }) =>
  answerOf(
    api.PATCH('/api/v1/conversations/{conversationId}/contact', {
      params: { path: { conversationId } },
      body,
    }),
  );

export const deleteConversation = (conversationId: string, clientKey: string) =>
  answerOf(
    api.DELETE('/api/v1/conversations/{conversationId}', {
      params: { path: { conversationId }, header: { 'Idempotency-Key': clientKey } },
    }),
  );

/** Waits up to 25 s for something to change; without `after` it answers the cursor at once. */
export const getChanges = (clinicId: number, { after, conversationIds }: Asked, signal: AbortSignal) =>
  answerOf(
    api.GET('/api/v1/clinics/{clinicId}/changes', {
      params: {
        path: { clinicId },
        query: { conversationIds: [...conversationIds], wait: LONG_POLL_S, ...present({ after }) },
      },
      signal,
      fetch: within((LONG_POLL_S + 10) * 1000),
    }),
  );

const notBefore = (seen: string | null) => present({ 'Recado-After': seen });

/** What has a value: an address has no null. */
function present<Query extends Record<string, unknown>>(query: Query) {
  return Object.fromEntries(
    Object.entries(query).filter(([, value]) => value !== null && value !== undefined),
  ) as {
    [Name in keyof Query]?: NonNullable<Query[Name]>;
  };
}
