import type { Listeners } from './listeners';

/** Waits, or until somebody kicks. */
export function pause(ms: number, kicks: Listeners) {
  return new Promise<void>((resolve) => {
    const done = () => {
      clearTimeout(timer);
      forget();
      resolve();
    };
    const timer = setTimeout(done, ms);
    const forget = kicks.add(done);
  });
}
