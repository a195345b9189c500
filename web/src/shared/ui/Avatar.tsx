import type { CSSProperties } from 'react';
import { initials } from '@/shared/lib/format';

const SIZES = { tiny: 'size-5 text-[9px]', small: 'size-8 text-mini', medium: 'size-10 text-meta' };

/** Initials on a hue that stays with the person. Decoration: the name stands beside it. */
export function Avatar(props: { id: string; name: string; size?: keyof typeof SIZES }) {
  return (
    <span
      aria-hidden="true"
      style={{ '--hue': hueOf(props.id) } as CSSProperties}
      className={`avatar-hue grid shrink-0 select-none place-items-center rounded-full font-semibold tracking-wide ${SIZES[props.size ?? 'medium']}`}
    >
      {initials(props.name)}
    </span>
  );
}

/** FNV-1a over the id, in twelve steps of the colour circle. */
function hueOf(id: string): number {
  let hash = 0x811c9dc5;
  for (const character of id) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193);
  return ((hash >>> 0) % 12) * 30;
}
