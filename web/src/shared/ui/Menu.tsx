import { Menu as Base } from '@base-ui/react/menu';
import { Check } from 'lucide-react';
import type { ReactNode } from 'react';

const ITEM =
  'flex cursor-default select-none items-center gap-2.5 rounded-md px-2.5 py-1.5 text-meta outline-none data-highlighted:bg-sunken';

export function Menu(props: {
  label: string;
  trigger: ReactNode;
  side: 'right' | 'bottom';
  align?: 'start' | 'end';
  /** The trigger's look. */
  className?: string;
  /** Where something else than the trigger opens it too, a key for instance. */
  open?: boolean;
  onOpenChange?: (open: boolean) => void;
  disabled?: boolean;
  children: ReactNode;
}) {
  const { open, onOpenChange } = props;
  return (
    <Base.Root
      modal={false}
      {...(open !== undefined && { open })}
      {...(onOpenChange && { onOpenChange: (now: boolean) => onOpenChange(now) })}
    >
      <Base.Trigger
        aria-label={props.label}
        title={props.label}
        disabled={props.disabled}
        className={props.className ?? 'rounded-full'}
      >
        {props.trigger}
      </Base.Trigger>
      <Base.Portal>
        <Base.Positioner
          className="z-20"
          side={props.side}
          align={props.align ?? 'end'}
          sideOffset={8}
          collisionPadding={8}
        >
          <Base.Popup className="max-h-(--available-height) min-w-56 overflow-y-auto rounded-box border border-line bg-raised p-1 shadow-float outline-none transition-opacity data-ending-style:opacity-0 data-starting-style:opacity-0">
            {props.children}
          </Base.Popup>
        </Base.Positioner>
      </Base.Portal>
    </Base.Root>
  );
}

export function MenuItem(props: {
  icon?: ReactNode;
  onClick: () => void;
  disabled?: boolean;
  children: ReactNode;
}) {
  return (
    <Base.Item
      onClick={props.onClick}
      disabled={props.disabled}
      className={`${ITEM} data-disabled:text-ink-soft`}
    >
      <span aria-hidden="true" className="grid size-4 place-items-center text-ink-soft">
        {props.icon}
      </span>
      {props.children}
    </Base.Item>
  );
}

/** One choice among several; the chosen one carries a check. */
export function MenuChoice<Value extends string>(props: {
  label: string;
  value: Value;
  choices: readonly (readonly [Value, string])[];
  onChange: (value: Value) => void;
}) {
  return (
    <Base.Group>
      <Base.GroupLabel className="px-2.5 pt-2 pb-1 text-ink-soft text-mini">{props.label}</Base.GroupLabel>
      <Base.RadioGroup value={props.value} onValueChange={(value) => props.onChange(value as Value)}>
        {props.choices.map(([value, name]) => (
          <Base.RadioItem key={value} value={value} className={ITEM} closeOnClick>
            <span aria-hidden="true" className="grid size-4 place-items-center text-accent">
              <Base.RadioItemIndicator>
                <Check className="size-4" />
              </Base.RadioItemIndicator>
            </span>
            {name}
          </Base.RadioItem>
        ))}
      </Base.RadioGroup>
    </Base.Group>
  );
}

/** One of several that may all be on. The menu stays open, so that more can be chosen. */
export function MenuCheck(props: {
  checked: boolean;
  onChange: (checked: boolean) => void;
  children: ReactNode;
}) {
  return (
    <Base.CheckboxItem
      checked={props.checked}
      onCheckedChange={(checked) => props.onChange(checked)}
      className={ITEM}
    >
      <span aria-hidden="true" className="grid size-4 place-items-center text-accent">
        <Base.CheckboxItemIndicator>
          <Check className="size-4" />
        </Base.CheckboxItemIndicator>
      </span>
      {props.children}
    </Base.CheckboxItem>
  );
}

export function MenuLine() {
  return <Base.Separator className="my-1 h-px bg-line" />;
}

export function MenuHeading(props: { name: string; text: string }) {
  return (
    <div className="px-2.5 py-1.5">
      <p className="font-medium">{props.name}</p>
      <p className="text-ink-soft text-meta">{props.text}</p>
    </div>
  );
}
