import { useEffect, useState } from 'react';

/** True once `active` has lasted `delayMs`: what passes quickly is never shown. */
export function useDelayed(active: boolean, delayMs: number): boolean {
  const [lasted, setLasted] = useState(false);
  useEffect(() => {
    if (!active) return setLasted(false);
    const timer = setTimeout(() => setLasted(true), delayMs);
    return () => clearTimeout(timer);
  }, [active, delayMs]);
  return active && lasted;
}
