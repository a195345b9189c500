/**
 * A map that never changes: `with` gives another one that shares what it has in common with this. The newest entries lie
 * over a map that is copied only now and then, since copying ten thousand for every packet costs a tenth of a frame.
 */
const MOST_NEWEST = 128;

export class PersistentMap<Value extends object> implements Iterable<readonly [string, Value]> {
  #base: ReadonlyMap<string, Value>;
  #newest: ReadonlyMap<string, Value> = new Map();

  constructor(entries: Iterable<readonly [string, Value]> = []) {
    this.#base = new Map(entries);
  }

  get = (key: string): Value | undefined => this.#newest.get(key) ?? this.#base.get(key);
  has = (key: string): boolean => this.#newest.has(key) || this.#base.has(key);

  get size(): number {
    let size = this.#base.size;
    for (const key of this.#newest.keys()) if (!this.#base.has(key)) size++;
    return size;
  }

  with(entries: ReadonlyMap<string, Value>): PersistentMap<Value> {
    const newest = new Map([...this.#newest, ...entries]);
    if (newest.size > MOST_NEWEST) return new PersistentMap([...this.#base, ...newest]);
    const next = new PersistentMap<Value>();
    next.#base = this.#base;
    next.#newest = newest;
    return next;
  }

  *[Symbol.iterator](): IterableIterator<readonly [string, Value]> {
    for (const entry of this.#base) if (!this.#newest.has(entry[0])) yield entry;
    yield* this.#newest;
  }

  *values(): IterableIterator<Value> {
    for (const [, value] of this) yield value;
  }
}
