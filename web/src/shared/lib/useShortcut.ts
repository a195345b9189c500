import { useEffect, useRef } from 'react';

/** A key without modifiers, as `KeyboardEvent.key` names it, pressed where nobody types and no dialog asks. */
export function useShortcut(keys: readonly string[], handler: (key: string) => void, active = true) {
  const latest = useRef(handler);
  latest.current = handler;
  const joined = keys.join(' ');
  useEffect(() => {
    if (!active) return;
    const listen = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.defaultPrevented)
        return;
      if (!joined.split(' ').includes(event.key) || isBusy(event.target)) return;
      event.preventDefault();
      latest.current(event.key);
    };
    document.addEventListener('keydown', listen);
    return () => document.removeEventListener('keydown', listen);
  }, [joined, active]);
}

const TYPES =
  'input:not([type=checkbox]), textarea, select, [contenteditable], [role=menu], [role=listbox], dialog';

const isBusy = (target: EventTarget | null) =>
  document.querySelector('dialog[open]') !== null ||
  (target instanceof Element && target.closest(TYPES) !== null);
