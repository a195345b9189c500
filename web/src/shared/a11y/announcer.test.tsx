// @vitest-environment jsdom
import { act, render } from '@testing-library/react';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Announcer, AnnouncerOutlet } from './announcer';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

const words = (names: readonly string[]) =>
  names.length === 1 ? `Nova mensagem de ${names[0]}` : `${names.length} mensagens novas`;

it('gathers a second’s news into one sentence, and clears it', () => {
  const announcer = new Announcer();
  const { container } = render(<AnnouncerOutlet announcer={announcer} />);
  announcer.news('Maria', words);
  announcer.news('João', words);
  expect(container).toHaveTextContent('');
  act(() => vi.advanceTimersByTime(1000));
  expect(container).toHaveTextContent('2 mensagens novas');
  act(() => vi.advanceTimersByTime(7000));
  expect(container).toHaveTextContent('');
});

it('the same sentence again is a new text, so that it is said again', () => {
  const announcer = new Announcer();
  announcer.news('Maria', words);
  vi.advanceTimersByTime(1000);
  const first = announcer.getSnapshot();
  announcer.news('Maria', words);
  vi.advanceTimersByTime(1000);
  expect(announcer.getSnapshot()).not.toBe(first);
  expect(announcer.getSnapshot().trim().replace('\u200b', '')).toBe(first);
});

it('stopped, it says no more', () => {
  const announcer = new Announcer();
  announcer.news('Maria', words);
  announcer.stop();
  expect(vi.getTimerCount()).toBe(0);
});
