import type { ComponentProps } from 'react';

const LOOKS = {
  primary:
    'bg-accent px-3.5 py-2 font-medium text-on-accent hover:bg-accent-strong disabled:bg-sunken disabled:text-ink-soft',
  danger: 'bg-broken px-3 py-1.5 font-medium text-on-broken text-meta hover:opacity-90',
  quiet: 'bg-sunken px-3 py-1.5 font-medium text-ink text-meta hover:bg-line',
  text: 'rounded px-1 font-medium underline underline-offset-2 hover:no-underline',
};

export function Button({
  look = 'quiet',
  className = '',
  ...rest
}: ComponentProps<'button'> & { look?: keyof typeof LOOKS }) {
  return (
    <button type="button" className={`rounded-box transition-colors ${LOOKS[look]} ${className}`} {...rest} />
  );
}
