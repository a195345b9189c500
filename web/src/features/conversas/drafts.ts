/** What was typed and not sent, per conversation. In memory: it ends with the session, as patient words must. */
import type { MessageKind } from '@/shared/api/types';

export interface Draft {
  readonly body: string;
  readonly kind: MessageKind;
}

const NOTHING: Draft = { body: '', kind: 'message' };

export class Drafts {
  readonly #drafts = new Map<string, Draft>();

  get = (conversationId: string): Draft => this.#drafts.get(conversationId) ?? NOTHING;

  set(conversationId: string, draft: Draft) {
    if (draft.body === '' && draft.kind === 'message') this.#drafts.delete(conversationId);
    else this.#drafts.set(conversationId, draft);
  }
}
