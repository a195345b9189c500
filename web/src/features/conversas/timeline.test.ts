import { expect, it } from 'vitest';
import { ANA, message, ownMessage } from './fixtures';
import type { Pending } from './orders';
import { type TimelineSource, timeline } from './timeline';

const at = (time: string) => ({ createdAt: new Date(`${time}-03:00`).toISOString() });
const pending = (clientKey: string, time: string): Pending => ({
  type: 'message',
  clientKey,
  conversationId: 'a',
  kind: 'message',
  body: clientKey,
  state: 'sending',
  ...at(time),
});
const build = (source: Partial<TimelineSource>) =>
  timeline({ messages: [], pending: [], memberId: ANA.id, fromBeginning: false, ...source });

const kinds = (source: Partial<TimelineSource>) => build(source).map((item) => item.kind);
const groups = (source: Partial<TimelineSource>) =>
  build(source).flatMap((item) => (item.kind === 'entry' ? [[item.startsGroup, item.endsGroup]] : []));

it('a day is announced where it begins, in local time', () => {
  const messages = [
    message('a', 1, at('2026-11-22T23:59:00')),
    message('a', 2, at('2026-11-23T00:01:00')),
    message('a', 3, at('2026-11-23T23:00:00')),
  ];
  expect(kinds({ messages })).toEqual(['entry', 'day', 'entry', 'entry']);
  expect(kinds({ messages, fromBeginning: true })).toEqual([
    'beginning',
    'day',
    'entry',
    'day',
    'entry',
    'entry',
  ]);
});

it('groups one author within five minutes', () => {
  const messages = [
    message('a', 1, at('2026-11-23T10:00:00')),
    message('a', 2, at('2026-11-23T10:05:00')),
    message('a', 3, at('2026-11-23T10:10:01')),
  ];
  expect(groups({ messages })).toEqual([
    [true, false],
    [false, true],
    [true, true],
  ]);
});

it('a note never stands in a group of replies', () => {
  const messages = [
    ownMessage('a', 1, 'k1', at('2026-11-23T10:00:00')),
    ownMessage('a', 2, 'k2', { kind: 'note', ...at('2026-11-23T10:00:10') }),
  ];
  expect(groups({ messages })).toEqual([
    [true, true],
    [true, true],
  ]);
});

it('what is on its way stands at the end, groups with its author, and is shown once when confirmed', () => {
  const messages = [ownMessage('a', 1, 'k1', at('2026-11-23T10:00:00'))];
  const onTheWay = [pending('k1', '2026-11-23T10:00:00'), pending('k2', '2026-11-23T10:01:00')];
  const items = build({ messages, pending: onTheWay });
  expect(items.map((item) => item.key)).toEqual(['k1', 'k2']);
  expect(groups({ messages, pending: onTheWay })).toEqual([
    [true, false],
    [false, true],
  ]);
});

it('a bubble keeps its key from the click to the confirmed row', () => {
  const before = build({ pending: [pending('k1', '2026-11-23T10:00:00')] });
  const after = build({ messages: [ownMessage('a', 7, 'k1')] });
  expect(after.at(-1)?.key).toBe(before.at(-1)?.key);
});

it('“novas” stands once, before the first message of others after the mark, and parts groups', () => {
  const messages = [message('a', 1), ownMessage('a', 2, 'k'), message('a', 3), message('a', 4)];
  const news = (newSince: number | null) => build({ messages, newSince }).map((item) => item.key);
  expect(news(1)).toEqual(['message 1', 'k', 'new', 'message 3', 'message 4']);
  expect(groups({ messages: messages.slice(2), newSince: 3 })).toEqual([
    [true, true],
    [true, true],
  ]);
  expect(news(null)).not.toContain('new');
  expect(news(4)).not.toContain('new');
  expect(news(0)).not.toContain('new'); // nothing read stands above it
});
