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

/** Why a reply did not reach the patient: in the reader's language where we know the code, else as the server says it. */
export function failureText(t: Messages, failure: { code: string; message: string } | undefined): string {
  if (!failure) return t.message.notDelivered;
  return (t.failures as Record<string, string>)[failure.code] ?? failure.message;
}

export function fieldText(t: Messages, code: string): string {
  return (t.fields as Record<string, string>)[code] ?? t.fields.wrong_type;
}
