/** Times as a receptionist says them. Everything by Intl, in the locale of the screen and the zone of the computer. */
import type { Locale } from '@/shared/i18n/catalogue';

const formats = new Map<string, Intl.DateTimeFormat>();

function format(locale: Locale, options: Intl.DateTimeFormatOptions, date: Date): string {
  const key = locale + JSON.stringify(options);
  const made = formats.get(key) ?? new Intl.DateTimeFormat(locale, options);
  formats.set(key, made);
  return made.format(date);
}

export const clockTime = (locale: Locale, date: Date) =>
  format(locale, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }, date);

export const clockTimeWithSeconds = (locale: Locale, date: Date) =>
  format(locale, { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' }, date);

export const fullTime = (locale: Locale, date: Date) =>
  format(locale, { dateStyle: 'full', timeStyle: 'short', hourCycle: 'h23' }, date);

const dayNumber = (date: Date) =>
  Math.floor(Date.UTC(date.getFullYear(), date.getMonth(), date.getDate()) / 86_400_000);

export const sameDay = (a: Date, b: Date) => dayNumber(a) === dayNumber(b);

const daysAgo = (date: Date, now: Date) => dayNumber(now) - dayNumber(date);

/** In the list: "10:42", "ontem", "qui.", "12/11", "12/11/2024". */
export function listTime(locale: Locale, date: Date, now: Date, yesterday: string): string {
  const days = daysAgo(date, now);
  if (days <= 0) return clockTime(locale, date);
  if (days === 1) return yesterday;
  if (days < 7) return format(locale, { weekday: 'short' }, date);
  if (date.getFullYear() === now.getFullYear())
    return format(locale, { day: '2-digit', month: '2-digit' }, date);
  return format(locale, { day: '2-digit', month: '2-digit', year: 'numeric' }, date);
}

/** A moment ahead: "14:00", "sex., 08:00", "12/12, 08:00". */
export function soonTime(locale: Locale, date: Date, now: Date): string {
  const days = -daysAgo(date, now);
  if (days === 0) return clockTime(locale, date);
  const day =
    days > 0 && days < 7
      ? format(locale, { weekday: 'short' }, date)
      : format(locale, { day: '2-digit', month: '2-digit' }, date);
  return `${day} ${clockTime(locale, date)}`;
}

/** Between days of a thread: "Hoje", "Ontem", "quinta-feira, 19 de novembro". */
export function dayName(
  locale: Locale,
  date: Date,
  now: Date,
  words: { today: string; yesterday: string },
): string {
  const days = daysAgo(date, now);
  if (days === 0) return words.today;
  if (days === 1) return words.yesterday;
  const year = date.getFullYear() === now.getFullYear() ? {} : { year: 'numeric' as const };
  return format(locale, { weekday: 'long', day: 'numeric', month: 'long', ...year }, date);
}

export function fileSize(locale: Locale, bytes: number): string {
  const units = ['byte', 'kilobyte', 'megabyte', 'gigabyte'] as const;
  const step = Math.min(units.length - 1, Math.floor(Math.log(Math.max(bytes, 1)) / Math.log(1000)));
  return new Intl.NumberFormat(locale, {
    style: 'unit',
    unit: units[step],
    unitDisplay: step === 0 ? 'long' : 'short',
    maximumFractionDigits: step > 1 ? 1 : 0,
  }).format(bytes / 1000 ** step);
}

/** "Maria Silva" → "MS", "maria" → "M", "+55 11 99999" → "#". */
export function initials(name: string): string {
  const words = name.split(/\s+/).filter((word) => /^\p{L}/u.test(word));
  const first = words[0];
  if (!first) return '#';
  const last = words.length > 1 ? words.at(-1) : undefined;
  return [first, last]
    .map((word) => (word ? (Array.from(word)[0] ?? '') : ''))
    .join('')
    .toUpperCase();
}

export const firstName = (name: string) => name.trim().split(/\s+/)[0] ?? name;

/** A provider's bare digits as Brazilians write them: 5511988887777 → +55 11 98888-7777. Anything else stays. */
export function contactAddress(address: string): string {
  const [, area, first, last] = /^\+?55(\d{2})(\d{4,5})(\d{4})$/.exec(address) ?? [];
  return area ? `+55 ${area} ${first}-${last}` : address;
}
