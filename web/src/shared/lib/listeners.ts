/** The subscribe half of an external store (React's useSyncExternalStore). */
export class Listeners<Args extends unknown[] = []> {
  readonly #all = new Set<(...args: Args) => void>();

  add = (listener: (...args: Args) => void): (() => void) => {
    this.#all.add(listener);
    return () => void this.#all.delete(listener);
  };

  tell(...args: Args) {
    for (const listener of [...this.#all]) listener(...args);
  }

  get size() {
    return this.#all.size;
  }
}
