import { useSyncExternalStore } from 'react';
import { Listeners } from '@/shared/lib/listeners';
import { LOCALES, type Locale, load, PORTUGUESE } from './catalogue';

const STORED_AS = 'recado.locale';
const listeners = new Listeners();
let current = PORTUGUESE;

export async function setLocale(locale: Locale) {
  current = await load(locale);
  document.documentElement.lang = locale;
  try {
    localStorage.setItem(STORED_AS, locale);
  } catch {
    // storage is forbidden: the choice lasts until the tab closes
  }
  listeners.tell();
}

/** The language chosen on this computer, Portuguese until then. */
export async function restoreLocale() {
  let stored: string | null = null;
  try {
    stored = localStorage.getItem(STORED_AS);
  } catch {
    // as above
  }
  if (stored && stored !== current.locale && Object.hasOwn(LOCALES, stored))
    await setLocale(stored as Locale);
}

export const useI18n = () => useSyncExternalStore(listeners.add, () => current);
