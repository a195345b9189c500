import { type ComponentProps, type ReactNode, useId } from 'react';

const BOX =
  'w-full rounded-box border border-line-strong bg-raised px-3 py-2 focus-visible:outline-offset-0 aria-invalid:border-broken disabled:text-ink-soft';

interface FieldProps {
  label: string;
  /** What is wrong with it, or what helps. */
  error?: string | undefined;
  hint?: string | undefined;
  /** The label is heard, not seen: the fields stand in a list that says what they are. */
  bare?: boolean;
}

function Frame(props: FieldProps & { id: string; children: ReactNode }) {
  return (
    <div className="space-y-1.5">
      <label htmlFor={props.id} className={props.bare ? 'sr-only' : 'block font-medium text-meta'}>
        {props.label}
      </label>
      {props.children}
      {(props.error ?? props.hint) && (
        <p id={`${props.id}about`} className={`text-meta ${props.error ? 'text-broken' : 'text-ink-soft'}`}>
          {props.error ?? props.hint}
        </p>
      )}
    </div>
  );
}

const about = (id: string, { error, hint }: FieldProps) => ({
  'aria-describedby': error || hint ? `${id}about` : undefined,
  'aria-invalid': error ? true : undefined,
});

export function TextField({
  label,
  error,
  hint,
  bare = false,
  ...input
}: FieldProps & ComponentProps<'input'>) {
  const id = useId();
  const words = { label, error, hint, bare };
  return (
    <Frame id={id} {...words}>
      <input id={id} className={BOX} {...about(id, words)} {...input} />
    </Frame>
  );
}

export function TextArea({ label, error, hint, ...area }: FieldProps & ComponentProps<'textarea'>) {
  const id = useId();
  const words = { label, error, hint };
  return (
    <Frame id={id} {...words}>
      <textarea id={id} className={`${BOX} field-sizing-content min-h-20`} {...about(id, words)} {...area} />
    </Frame>
  );
}

export function SelectField({ label, error, hint, ...select }: FieldProps & ComponentProps<'select'>) {
  const id = useId();
  const words = { label, error, hint };
  return (
    <Frame id={id} {...words}>
      <select id={id} className={BOX} {...about(id, words)} {...select} />
    </Frame>
  );
}

export function Check({ label, hint, ...input }: FieldProps & ComponentProps<'input'>) {
  const id = useId();
  return (
    <div className="flex items-start gap-2.5">
      <input
        id={id}
        type="checkbox"
        className="mt-1 size-4 accent-accent"
        {...about(id, { label, hint })}
        {...input}
      />
      <div>
        <label htmlFor={id}>{label}</label>
        {hint && (
          <p id={`${id}about`} className="text-ink-soft text-meta">
            {hint}
          </p>
        )}
      </div>
    </div>
  );
}
