/**
 * The one voice for screen readers: news is gathered for a second and said once. Virtual rows come and go while
 * scrolling, so the lists themselves stay silent (aria-live="off").
 */
import { useSyncExternalStore } from 'react';
import { Listeners } from '@/shared/lib/listeners';

const GATHER_MS = 1000;
const STAYS_MS = 7000;
const INVISIBLE = '\u200b'; // makes the same sentence a new one, so that it is said again

type Timer = ReturnType<typeof setTimeout> | undefined;

export class Announcer {
  readonly #listeners = new Listeners();
  #names: string[] = [];
  #text = '';
  #last = '';
  #gather: Timer;
  #clear: Timer;

  getSnapshot = () => this.#text;
  subscribe = this.#listeners.add;

  /** Something from `name` arrived; `words` puts all that arrived within the second into one sentence. */
  news(name: string, words: (names: readonly string[]) => string) {
    this.#names.push(name);
    this.#gather ??= setTimeout(() => {
      this.#gather = undefined;
      this.#say(words(this.#names));
      this.#names = [];
    }, GATHER_MS);
  }

  stop() {
    clearTimeout(this.#gather);
    clearTimeout(this.#clear);
    this.#gather = undefined;
    this.#names = [];
  }

  #say(text: string) {
    this.#last = text === this.#last ? text + INVISIBLE : text;
    this.#set(this.#last);
    clearTimeout(this.#clear);
    this.#clear = setTimeout(() => this.#set(''), STAYS_MS);
  }

  #set(text: string) {
    this.#text = text;
    this.#listeners.tell();
  }
}

export function AnnouncerOutlet({ announcer }: { announcer: Announcer }) {
  const text = useSyncExternalStore(announcer.subscribe, announcer.getSnapshot);
  return (
    <div className="sr-only" aria-live="polite" aria-atomic="true">
      {text}
    </div>
  );
}
