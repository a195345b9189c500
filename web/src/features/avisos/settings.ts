/** How a member wants to be told on this computer: theirs alone, kept under their name. Patient words only if they say so. */
import { Listeners } from '@/shared/lib/listeners';
import { recall, remember } from '@/shared/lib/remembered';

export interface AlertSettings {
  readonly sound: boolean;
  readonly desktop: boolean;
  /** The patient's name and words in the notification: whoever passes by can read it. */
  readonly words: boolean;
}

const AT_FIRST: AlertSettings = { sound: true, desktop: false, words: false };

export class AlertSettingsStore {
  readonly #name: string;
  readonly #listeners = new Listeners();
  #settings: AlertSettings;

  constructor(memberId: string) {
    this.#name = `alerts.${memberId}`;
    this.#settings = read(recall(this.#name));
  }

  getSnapshot = () => this.#settings;
  subscribe = this.#listeners.add;

  change(patch: Partial<AlertSettings>) {
    this.#settings = { ...this.#settings, ...patch };
    remember(this.#name, JSON.stringify(this.#settings));
    this.#listeners.tell();
  }
}

function read(stored: string | null): AlertSettings {
  try {
    const { sound, desktop, words } = JSON.parse(stored ?? '{}') as Partial<AlertSettings>;
    return {
      sound: sound ?? AT_FIRST.sound,
      desktop: desktop ?? AT_FIRST.desktop,
      words: words ?? AT_FIRST.words,
    };
  } catch {
    return AT_FIRST;
  }
}
