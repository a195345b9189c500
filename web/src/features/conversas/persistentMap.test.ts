import { expect, it } from 'vitest';
import { PersistentMap } from './persistentMap';

const entry = (key: number, value: number) => [`k${key}`, { value }] as const;

it('is what a plain map would be, however often it is changed, and its former selves stay what they were', () => {
  const plain = new Map([entry(0, -1)]);
  let map = new PersistentMap(plain);
  const former: [PersistentMap<{ value: number }>, [string, { value: number }][]][] = [];
  const sorted = (entries: Iterable<readonly [string, { value: number }]>) => [...entries].sort();
  for (let change = 0; change < 500; change++) {
    const changed = new Map([entry((change * 37) % 300, change), entry(change % 7, change)]);
    former.push([map, sorted(plain) as [string, { value: number }][]]);
    map = map.with(changed);
    for (const [key, value] of changed) plain.set(key, value);
    expect(map.size).toBe(plain.size);
    expect(map.get(`k${change % 7}`)).toBe(plain.get(`k${change % 7}`));
    expect(map.has(`k${change}`)).toBe(plain.has(`k${change}`));
  }
  expect(sorted(map)).toEqual(sorted(plain));
  for (const [map, entries] of former) expect(sorted(map)).toEqual(entries);
  expect([...map.values()].length).toBe(plain.size);
});
