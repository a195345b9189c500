/**
 * Which rooms are wanted, by how many. Counting is immediate, the consequence comes in the next microtask: a mount
 * that React repeats (StrictMode) or a change from one thread to the next costs the server nothing it need not know.
 */
export class Rooms {
  readonly #wanted = new Map<string, number>();
  readonly #entered = new Set<string>();
  readonly #enter: (room: string) => void;
  readonly #leave: (room: string) => void;
  #scheduled = false;

  constructor(consequence: { enter: (room: string) => void; leave: (room: string) => void }) {
    this.#enter = consequence.enter;
    this.#leave = consequence.leave;
  }

  /** Wants a room until the returned function is called; calling it again changes nothing. */
  want(room: string): () => void {
    this.#wanted.set(room, (this.#wanted.get(room) ?? 0) + 1);
    this.#schedule();
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      const left = (this.#wanted.get(room) ?? 1) - 1;
      if (left > 0) this.#wanted.set(room, left);
      else this.#wanted.delete(room);
      this.#schedule();
    };
  }

  has = (room: string) => this.#wanted.has(room);
  all = () => [...this.#wanted.keys()];

  #schedule() {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      for (const room of [...this.#entered]) {
        if (this.#wanted.has(room)) continue;
        this.#entered.delete(room);
        this.#leave(room);
      }
      for (const room of this.#wanted.keys()) {
        if (this.#entered.has(room)) continue;
        this.#entered.add(room);
        this.#enter(room);
      }
    });
  }
}
