/**
 * Carries a command to the server: over the socket if there is one; when it stays silent, the same clientKey goes over
 * REST, and counts once. It knows no state.
 */
import type { ClientEvents } from '@/realtime/events';
import { asApiError, wasUnanswered } from '@/shared/api/errors';
import type { Conversation, Message, ReadMark, ReadOrder } from '@/shared/api/types';
import type { Arrival } from './arrivals';
import type { Order } from './orders';
import type * as rest from './rest';

export interface CommandsOptions {
  connection: {
    readonly connected: boolean;
    request<Name extends keyof ClientEvents>(
      name: Name,
      payload: ClientEvents[Name]['payload'],
    ): Promise<ClientEvents[Name]['answer']>;
  };
  api: Pick<
    typeof rest,
    | 'postMessage'
    | 'putRead'
    | 'patchConversation'
    | 'patchContact'
    | 'patchMessage'
    | 'deleteMessage'
    | 'deleteConversation'
  >;
  noteRefusal: (code: string) => void;
}

export class Commands {
  readonly #options: CommandsOptions;

  constructor(options: CommandsOptions) {
    this.#options = options;
  }

  /** What the order's answer brings to the cache. Throws ApiError. */
  async deliver(order: Order): Promise<Arrival> {
    const { clientKey, conversationId } = order;
    switch (order.type) {
      case 'message': {
        const { body, kind, expectedSeq, replyTo } = order;
        const sent = {
          clientKey,
          body,
          kind,
          ...(expectedSeq !== undefined && { expectedSeq }),
          ...(replyTo !== undefined && { replyTo }),
        };
        const message: Message = await this.#carry(
          async (ask) => (await ask('message:send', { conversationId, ...sent })).message,
          (api) => api.postMessage(conversationId, sent),
        );
        return { kind: 'message', message };
      }
      case 'update': {
        const change = { clientKey, ...order.change };
        const conversation: Conversation = await this.#carry(
          async (ask) => (await ask('conversation:update', { conversationId, ...change })).conversation,
          (api) => api.patchConversation(conversationId, change),
        );
        return { kind: 'conversation', conversation };
      }
      case 'rename': {
        const { name } = order;
        const conversation: Conversation = await this.#carry(
          async (ask) => (await ask('contact:rename', { clientKey, conversationId, name })).conversation,
          (api) => api.patchContact(conversationId, { clientKey, name }),
        );
        return { kind: 'conversation', conversation };
      }
      case 'edit': {
        const { messageId, body } = order;
        const message: Message = await this.#carry(
          async (ask) => (await ask('message:edit', { clientKey, messageId, body })).message,
          (api) => api.patchMessage(messageId, { clientKey, body }),
        );
        return { kind: 'message', message };
      }
      case 'takeBack': {
        const { messageId } = order;
        const message: Message = await this.#carry(
          async (ask) => (await ask('message:delete', { clientKey, messageId })).message,
          (api) => api.deleteMessage(messageId, clientKey),
        );
        return { kind: 'message', message };
      }
      case 'erase': {
        const conversation: Conversation = await this.#carry(
          async (ask) => (await ask('conversation:delete', { clientKey, conversationId })).conversation,
          (api) => api.deleteConversation(conversationId, clientKey),
        );
        return { kind: 'conversation', conversation };
      }
    }
  }

  /** Throws ApiError. */
  read(order: ReadOrder): Promise<ReadMark> {
    return this.#carry(
      async (ask) => (await ask('message:read', order)).read,
      (api) => api.putRead(order),
    );
  }

  async #carry<Answer>(
    overSocket: (ask: CommandsOptions['connection']['request']) => Promise<Answer>,
    overRest: (api: CommandsOptions['api']) => Promise<Answer>,
  ): Promise<Answer> {
    const { connection, api, noteRefusal } = this.#options;
    try {
      if (connection.connected) {
        try {
          return await overSocket((name, payload) => connection.request(name, payload));
        } catch (error) {
          if (!wasUnanswered(asApiError(error))) throw error;
        }
      }
      return await overRest(api);
    } catch (error) {
      noteRefusal(asApiError(error).code);
      throw error;
    }
  }
}
