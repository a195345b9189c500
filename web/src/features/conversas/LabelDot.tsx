import type { CSSProperties } from 'react';

/** The label's colour; one without a colour of its own is grey. Decoration: its name stands beside it. */
export function LabelDot({ colour }: { colour: string | undefined }) {
  return (
    <span
      aria-hidden="true"
      style={{ '--label': colour ?? 'var(--off)' } as CSSProperties}
      className="inline-block size-2 shrink-0 rounded-full bg-(--label)"
    />
  );
}
