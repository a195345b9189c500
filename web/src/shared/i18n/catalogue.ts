/** The languages. Portuguese is in the bundle, every other one is fetched when it is chosen. */
import { ptBR } from './pt-BR';

export type Messages = typeof ptBR;
export type Locale = 'pt-BR' | 'en';

/** In their own words, so that who reads only one of them finds it. */
export const LOCALES: Record<Locale, string> = { 'pt-BR': 'Português', en: 'English' };

const LOADERS: Record<Locale, () => Promise<Messages>> = {
  'pt-BR': async () => ptBR,
  en: async () => (await import('./en')).en,
};

export const PORTUGUESE: { locale: Locale; t: Messages } = { locale: 'pt-BR', t: ptBR };

export const load = async (locale: Locale) => ({ locale, t: await LOADERS[locale]() });

export function errorText(t: Messages, code: string | undefined): string {
  return (t.errors as Record<string, string>)[code ?? 'unknown'] ?? t.errors.unknown;
}
