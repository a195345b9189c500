/** The part of a found message that a result shows, with what was looked for marked. Pure. */
import type { Highlight } from '@/shared/api/types';

export interface SnippetPart {
  readonly text: string;
  readonly marked: boolean;
}

const BEFORE = 24;
const LENGTH = 140;

/** Highlights count Unicode code points, not a JavaScript string's units. */
export function snippet(body: string, highlights: readonly Highlight[]): SnippetPart[] {
  const points = Array.from(body);
  const sorted = [...highlights].sort((a, b) => a.start - b.start);
  const first = sorted[0]?.start ?? 0;
  const from = first > BEFORE * 2 ? first - BEFORE : 0;
  const to = Math.min(points.length, from + LENGTH);
  const text = (start: number, end: number) => points.slice(start, end).join('').replace(/\s+/g, ' ');
  const parts: SnippetPart[] = [];
  let at = from;
  for (const { start, end } of sorted) {
    if (start < at || start >= to) continue;
    if (start > at) parts.push({ text: text(at, start), marked: false });
    at = Math.min(end, to);
    parts.push({ text: text(start, at), marked: true });
  }
  if (at < to) parts.push({ text: text(at, to), marked: false });
  if (from > 0) parts.unshift({ text: '…', marked: false });
  if (to < points.length) parts.push({ text: '…', marked: false });
  return parts;
}
