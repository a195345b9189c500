// @vitest-environment jsdom
import { act, renderHook } from '@testing-library/react';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { RealtimeConnection } from '@/realtime/connection';
import { FakeSocket } from '@/realtime/fakeSocket';
import { ANA, conversation, message } from './fixtures';
import { Inbox } from './inbox';
import * as rest from './rest';
import { InboxContext } from './useInbox';
import { useSearch } from './useSearch';

/** Two pages of whatever is asked for. */
const getSearch: typeof rest.getSearch = async (_clinic, words, before) => ({
  items: [
    {
      conversation: conversation('a', 1),
      message: message('a', 1, { body: `${words} ${before ?? 'first'}` }),
      highlights: [],
    },
  ],
  before: before === null ? 'second' : null,
  seq: 1,
});

const inbox = new Inbox({
  clinicId: 1,
  member: ANA,
  connection: new RealtimeConnection({ clinicId: 1, createSocket: new FakeSocket().asSocket }),
  onUnauthenticated: () => undefined,
  api: { ...rest, getSearch },
});

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const search = (query: string) =>
  renderHook(useSearch, {
    initialProps: query,
    wrapper: ({ children }) => <InboxContext value={inbox}>{children}</InboxContext>,
  });
type Search = ReturnType<typeof search>;
const pass = (ms: number) => act(() => vi.advanceTimersByTimeAsync(ms));
const found = ({ result }: Search) => result.current.hits.map((hit) => hit.message.body);

async function withTwoPages(query: string): Promise<Search> {
  const shown = search(query);
  await pass(200);
  act(shown.result.current.more);
  await pass(0);
  expect(found(shown)).toEqual([`${query} first`, `${query} second`]);
  return shown;
}

it.each(['anab', ''])(
  'words that are searched again begin at their first page, also after more of them was read and "%s" was',
  async (other) => {
    const shown = await withTwoPages('ana');
    shown.rerender(other);
    await pass(200);
    shown.rerender('ana');
    await pass(200);
    expect(found(shown)).toEqual(['ana first']);
  },
);

it('who takes a letter back at once sees nothing twice', async () => {
  const shown = await withTwoPages('ana');
  shown.rerender('anab');
  await pass(50);
  shown.rerender('ana');
  await pass(200);
  expect(found(shown)).toEqual(['ana first']);
});

it('more of what is shown is not taken for more of what is being typed', async () => {
  const shown = search('ana');
  await pass(200);
  shown.rerender('anab');
  act(shown.result.current.more);
  await pass(200);
  expect(found(shown)).toEqual(['anab first']);
});
