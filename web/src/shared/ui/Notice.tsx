import type { ReactNode } from 'react';

/** The middle of a pane that has nothing to show: what is so, and what to do. */
export function Notice(props: {
  icon?: ReactNode;
  title: string;
  text?: string;
  action?: ReactNode;
  alert?: boolean;
}) {
  return (
    <div
      role={props.alert ? 'alert' : undefined}
      className="flex h-full flex-col items-center justify-center gap-1 p-8 text-center"
    >
      {props.icon && (
        <span
          aria-hidden="true"
          className="mb-3 grid size-12 place-items-center rounded-full bg-sunken text-ink-soft"
        >
          {props.icon}
        </span>
      )}
      <p className="font-medium">{props.title}</p>
      {props.text && <p className="max-w-72 text-balance text-ink-soft text-meta">{props.text}</p>}
      {props.action && <div className="mt-3">{props.action}</div>}
    </div>
  );
}
