import { useSyncExternalStore } from 'react';
import { Listeners } from '@/shared/lib/listeners';
import { recall, remember } from '@/shared/lib/remembered';
import { LOCALES, type Locale, load, PORTUGUESE } from './catalogue';

const listeners = new Listeners();
let current = PORTUGUESE;

export async function setLocale(locale: Locale) {
  current = await load(locale);
  document.documentElement.lang = locale;
  remember('locale', locale);
  listeners.tell();
}

/** The language chosen on this computer, Portuguese until then. */
export async function restoreLocale() {
  const chosen = recall('locale');
  if (chosen && chosen !== current.locale && Object.hasOwn(LOCALES, chosen))
    await setLocale(chosen as Locale);
}

export const useI18n = () => useSyncExternalStore(listeners.add, () => current);
