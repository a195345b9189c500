import { expect, it } from 'vitest';
import type { Conversation } from '@/shared/api/types';
import { conversation } from './fixtures';
import { PersistentMap } from './persistentMap';
import { isShown, mergeRows, type Order, type Rows, reshown, shown, type Window } from './rows';

const ORDER: Order<Conversation> = {
  placeOf: (row) => row.lastSeq,
  direction: 'descending',
  tombstones: 'hidden',
};

/** The same numbers each time: a linear congruential generator (Numerical Recipes). */
function numbers(seed: number) {
  let state = seed;
  return (below: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state % below;
  };
}

it.each([1, 2, 3, 4, 5])('moving the few that changed shows what sorting all would (%i)', (seed) => {
  const next = numbers(seed);
  const window: Window = { loaded: true, before: 'more', floor: 50 };
  const shows = (row: Conversation) => isShown(row, window, ORDER);
  let rows: Rows<Conversation> = new PersistentMap();
  let visible: readonly Conversation[] = [];
  for (let version = 1; version < 400; version++) {
    const changed = Array.from({ length: 1 + next(3) }, () =>
      conversation(`c${next(40)}`, version, {
        lastSeq: next(4) ? version : next(version),
        ...(next(9) === 0 && { deleted: true }),
      }),
    );
    const former = { shown: visible, rows, shows };
    rows = mergeRows(rows, changed);
    const ids = changed.map(({ id }) => id);
    visible = reshown(former, { rows, shows }, ids, ORDER);
    expect(visible).toEqual(shown(rows, window, ORDER));
  }
});

it('a closed window shows nothing', () => {
  const row = conversation('a', 1);
  const closed = { loaded: false, before: null, floor: 0 };
  expect(shown(new PersistentMap([['a', row]]), closed, ORDER)).toEqual([]);
  expect(isShown(row, closed, ORDER)).toBe(false);
});
