import { expect, it } from 'vitest';
import { localInput, snoozeChoices } from './snooze';

const names = (time: string) =>
  snoozeChoices(new Date(time)).map(([name, when]) => `${name} ${localInput(when)}`);

it('offers what lies ahead, each once', () => {
  expect(names('2026-11-24T09:30:00')).toEqual([
    'hour 2026-11-24T10:30',
    'afternoon 2026-11-24T14:00',
    'tomorrow 2026-11-25T08:00',
    'week 2026-11-30T08:00',
  ]);
  expect(names('2026-11-24T16:00:00').map((name) => name.split(' ')[0])).toEqual([
    'hour',
    'tomorrow',
    'week',
  ]);
});

it('on a Sunday, tomorrow is Monday', () => {
  expect(names('2026-11-29T16:00:00').map((name) => name.split(' ')[0])).toEqual(['hour', 'tomorrow']);
});

it('on a Monday, Monday is the next one', () => {
  expect(names('2026-11-30T16:00:00').at(-1)).toBe('week 2026-12-07T08:00');
});
