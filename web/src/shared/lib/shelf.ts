/**
 * What must survive a reload and may hold patient words: kept in this browser under its member's name, one entry per key
 * (so that two tabs never overwrite each other's), wiped when the member leaves (`wipe`). Where storage is forbidden or
 * full, it lives as long as the page does.
 */
const ROOT = 'recado.private/';

const prefixOf = (...path: (string | number)[]) => `${ROOT}${path.map(encodeURIComponent).join('/')}/`; // which encodeURIComponent leaves in no part

export class Shelf<Item> {
  readonly #prefix: string;
  readonly #read: (stored: unknown) => Item | undefined;
  /** What could not be stored. Of everything else the storage has the last word, for other tabs write there too. */
  readonly #held = new Map<string, Item>();

  /** `read` judges what an earlier version may have written; undefined: it is dropped. */
  constructor(memberId: string, kind: string, clinicId: number, read: (stored: unknown) => Item | undefined) {
    this.#prefix = prefixOf(memberId, kind, clinicId);
    this.#read = read;
  }

  get(key: string): Item | undefined {
    return this.#held.get(key) ?? this.#stored(key);
  }

  all(): Item[] {
    const stored = keysUnder(this.#prefix).map((key) => key.slice(this.#prefix.length));
    return [...new Set([...stored, ...this.#held.keys()])].flatMap((key) => this.get(key) ?? []);
  }

  put(key: string, item: Item) {
    const stored = attempt(() => {
      localStorage.setItem(this.#prefix + key, JSON.stringify(item));
      return true;
    });
    if (stored) this.#held.delete(key);
    else this.#held.set(key, item);
  }

  /** Keeps what is kept up to date; what has been removed meanwhile stays removed. */
  replace(key: string, item: Item) {
    if (this.#held.has(key)) this.#held.set(key, item);
    if (this.#stored(key) !== undefined) this.put(key, item);
  }

  remove(key: string) {
    this.#held.delete(key);
    attempt(() => localStorage.removeItem(this.#prefix + key));
  }

  /** Another tab of this browser has removed an entry. */
  onRemoved = (listener: (key: string) => void): (() => void) =>
    this.#onStorage((key, newValue) => {
      if (newValue === null) listener(key);
    });

  /** Another tab of this browser has written or removed an entry. */
  onChanged = (listener: (key: string) => void): (() => void) => this.#onStorage(listener);

  #onStorage(listener: (key: string, newValue: string | null) => void): () => void {
    const heard = ({ key, newValue }: StorageEvent) => {
      if (!key?.startsWith(this.#prefix)) return;
      this.#held.delete(key.slice(this.#prefix.length));
      listener(key.slice(this.#prefix.length), newValue);
    };
    window.addEventListener('storage', heard);
    return () => window.removeEventListener('storage', heard);
  }

  #stored(key: string): Item | undefined {
    const text = attempt(() => localStorage.getItem(this.#prefix + key)) ?? null;
    const item = text === null ? undefined : attempt(() => this.#read(JSON.parse(text)));
    if (text !== null && item === undefined) this.remove(key);
    return item;
  }
}

/** Removes what is kept for this member: they have left. */
export function wipe(memberId: string) {
  for (const key of keysUnder(prefixOf(memberId))) attempt(() => localStorage.removeItem(key));
}

/** How many entries of a kind are kept for this member, of one clinic or of all. */
export const countKept = (memberId: string, kind: string, clinicId?: number): number =>
  keysUnder(prefixOf(memberId, kind, ...(clinicId === undefined ? [] : [clinicId]))).length;

const keysUnder = (prefix: string): string[] =>
  attempt(() => Object.keys(localStorage).filter((key) => key.startsWith(prefix))) ?? [];

function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined; // forbidden, full, or not ours
  }
}
