/** The moments one may want to put a conversation off to, by the clock of this computer. Pure. */
export type SnoozeChoice = 'hour' | 'afternoon' | 'tomorrow' | 'week';

export function snoozeChoices(now: Date): readonly (readonly [SnoozeChoice, Date])[] {
  const at = (days: number, hour: number) =>
    new Date(now.getFullYear(), now.getMonth(), now.getDate() + days, hour);
  const toMonday = (8 - now.getDay()) % 7 || 7;
  const choices: [SnoozeChoice, Date][] = [
    ['hour', new Date(now.getTime() + 3_600_000)],
    ['afternoon', at(0, 14)],
    ['tomorrow', at(1, 8)],
    ['week', at(toMonday, 8)],
  ];
  return choices.filter(([choice, when]) => when > now && !(choice === 'week' && toMonday === 1));
}

/** What an <input type="datetime-local"> holds. */
export function localInput(date: Date): string {
  const two = (n: number) => String(n).padStart(2, '0');
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}T${two(date.getHours())}:${two(date.getMinutes())}`;
}
