/** What was typed and not sent, per conversation: kept in this browser under the member's name until it is sent or they leave. */
import type { MessageKind } from '@/shared/api/types';
import type { Shelf } from '@/shared/lib/shelf';

export interface Draft {
  readonly body: string;
  readonly kind: MessageKind;
}

const NOTHING: Draft = { body: '', kind: 'message' };

export function readDraft(stored: unknown): Draft | undefined {
  const { body, kind } = (stored ?? {}) as Partial<Draft>;
  return typeof body === 'string' && (kind === 'message' || kind === 'note') ? { body, kind } : undefined;
}

export class Drafts {
  readonly #shelf: Shelf<Draft>;

  constructor(shelf: Shelf<Draft>) {
    this.#shelf = shelf;
  }

  get = (conversationId: string): Draft => this.#shelf.get(conversationId) ?? NOTHING;

  /** Another tab of this member has written or sent one. */
  onChanged = (listener: (conversationId: string) => void) => this.#shelf.onChanged(listener);

  set(conversationId: string, draft: Draft) {
    if (draft.body === '' && draft.kind === 'message') this.#shelf.remove(conversationId);
    else this.#shelf.put(conversationId, draft);
  }
}
