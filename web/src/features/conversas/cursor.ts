/** A place in a clinic's log. The wire writes it "<epoch>:<seq>"; the epoch is opaque and may hold colons itself. */
export interface Cursor {
  readonly epoch: string;
  readonly seq: number;
}

export function parseCursor(text: string): Cursor {
  const colon = text.lastIndexOf(':');
  const seq = Number(text.slice(colon + 1));
  if (colon < 1 || !Number.isSafeInteger(seq)) throw new Error('a cursor that is none');
  return { epoch: text.slice(0, colon), seq };
}

export const formatCursor = (cursor: Cursor) => `${cursor.epoch}:${cursor.seq}`;
