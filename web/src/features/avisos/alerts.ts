/**
 * Tells the member that a patient has written, when they are not looking: a sound, a notification of the system. Once per
 * message and browser, however many tabs are open. It knows no inbox; `app/` hands the news in.
 */
import { recall, remember } from '@/shared/lib/remembered';
import type { AlertSettings } from './settings';

export interface Written {
  readonly conversationId: string;
  /** Of the message: what has been told once is not told again. */
  readonly messageId: string;
  readonly patient: string;
  readonly preview: string;
  /** Somebody else's business: nobody else is to be disturbed. */
  readonly ofAnother: boolean;
}

export interface AlertWords {
  readonly title: string;
  readonly anonymous: string;
}

export interface AlertsOptions {
  settings: () => AlertSettings;
  words: () => AlertWords;
  open: (conversationId: string) => void;
  /** Is the member looking at this conversation? */
  isLookedAt: (conversationId: string) => boolean;
  play?: () => void;
}

/** News of one breath is one sound. */
const QUIET_MS = 2000;

export class Alerts {
  readonly #options: AlertsOptions;
  readonly #open = new Set<Notification>();
  #soundedAt = Number.NEGATIVE_INFINITY;

  constructor(options: AlertsOptions) {
    this.#options = options;
  }

  written(news: Written) {
    const { sound, desktop } = this.#options.settings();
    const away = document.visibilityState !== 'visible' || !document.hasFocus();
    if (news.ofAnother || (!away && this.#options.isLookedAt(news.conversationId))) return;
    if (!claim(news.messageId)) return;
    if (sound) this.#sound();
    if (desktop && away && notificationState() === 'granted') this.#notify(news);
  }

  stop() {
    for (const notification of this.#open) notification.close();
    this.#open.clear();
  }

  #sound() {
    const now = Date.now();
    if (now - this.#soundedAt < QUIET_MS) return;
    this.#soundedAt = now;
    (this.#options.play ?? chime)();
  }

  #notify(news: Written) {
    const { title, anonymous } = this.#options.words();
    const { words } = this.#options.settings();
    const notification = new Notification(words ? news.patient : title, {
      body: words ? news.preview : anonymous,
      tag: news.conversationId, // a newer one of the same conversation takes its place
      icon: '/favicon.svg',
    });
    this.#open.add(notification);
    notification.onclose = () => this.#open.delete(notification);
    notification.onclick = () => {
      window.focus();
      notification.close();
      this.#options.open(news.conversationId);
    };
  }
}

/** The first tab that asks tells; the others keep still. */
function claim(messageId: string): boolean {
  if (recall('alerted') === messageId) return false;
  remember('alerted', messageId);
  return true;
}

export type NotificationState = NotificationPermission | 'impossible';

/** Browsers show notifications of https pages only (and of this computer itself). */
export const notificationState = (): NotificationState =>
  'Notification' in window && window.isSecureContext ? Notification.permission : 'impossible';

let audio: AudioContext | undefined;

/** Two soft tones. A browser keeps silent until its user has clicked somewhere; nothing to be done about it. */
export function chime() {
  audio ??= new AudioContext();
  const context = audio;
  const now = context.currentTime;
  for (const [hertz, at] of [
    [660, 0],
    [880, 0.12],
  ] as const) {
    const tone = context.createOscillator();
    const volume = context.createGain();
    tone.frequency.value = hertz;
    volume.gain.setValueAtTime(0, now + at);
    volume.gain.linearRampToValueAtTime(0.08, now + at + 0.02);
    volume.gain.exponentialRampToValueAtTime(0.001, now + at + 0.3);
    tone.connect(volume).connect(context.destination);
    tone.start(now + at);
    tone.stop(now + at + 0.32);
  }
}
