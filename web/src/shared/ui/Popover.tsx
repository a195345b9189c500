import { Popover as Base } from '@base-ui/react/popover';
import type { ReactNode } from 'react';

export function Popover(props: { label: string; trigger: ReactNode; children: ReactNode }) {
  return (
    <Base.Root>
      <Base.Trigger title={props.label} className="rounded-full">
        {props.trigger}
      </Base.Trigger>
      <Base.Portal>
        <Base.Positioner className="z-20" side="bottom" align="end" sideOffset={8} collisionPadding={8}>
          <Base.Popup
            aria-label={props.label}
            className="w-80 max-w-[calc(100vw-1rem)] rounded-box border border-line bg-raised p-4 shadow-float outline-none transition-opacity data-ending-style:opacity-0 data-starting-style:opacity-0"
          >
            {props.children}
          </Base.Popup>
        </Base.Positioner>
      </Base.Portal>
    </Base.Root>
  );
}
