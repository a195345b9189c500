/** Short words about what just happened, at the bottom; read out at once, gone by themselves. */
import { CircleAlert, CircleCheck, X } from 'lucide-react';
import { useSyncExternalStore } from 'react';
import { useI18n } from '@/shared/i18n/useI18n';
import { Listeners } from '@/shared/lib/listeners';

const STAYS_MS = 8000;
const MOST = 3;

export interface Toast {
  readonly id: number;
  readonly tone: 'broken' | 'live';
  readonly text: string;
}

export class Toasts {
  readonly #listeners = new Listeners();
  readonly #timers = new Map<number, ReturnType<typeof setTimeout>>();
  #all: readonly Toast[] = [];
  #last = 0;

  getSnapshot = () => this.#all;
  subscribe = this.#listeners.add;

  show(tone: Toast['tone'], text: string) {
    const id = ++this.#last;
    this.#set([...this.#all.filter((toast) => toast.text !== text), { id, tone, text }].slice(-MOST));
    this.#timers.set(
      id,
      setTimeout(() => this.dismiss(id), STAYS_MS),
    );
  }

  dismiss = (id: number) => {
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
    this.#set(this.#all.filter((toast) => toast.id !== id));
  };

  stop() {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    this.#set([]);
  }

  #set(all: readonly Toast[]) {
    this.#all = all;
    this.#listeners.tell();
  }
}

export function ToastsOutlet({ toasts }: { toasts: Toasts }) {
  const { t } = useI18n();
  const all = useSyncExternalStore(toasts.subscribe, toasts.getSnapshot);
  return (
    <div
      role="alert"
      className="-translate-x-1/2 pointer-events-none fixed bottom-4 left-1/2 z-30 flex w-[min(28rem,calc(100vw-2rem))] flex-col gap-2"
    >
      {all.map(({ id, tone, text }) => {
        const Icon = tone === 'broken' ? CircleAlert : CircleCheck;
        return (
          <div
            key={id}
            className={`pointer-events-auto flex items-start gap-2.5 rounded-box border border-line px-3.5 py-2.5 text-meta shadow-float ${tone === 'broken' ? 'bg-broken-tint text-broken' : 'bg-live-tint text-live'}`}
          >
            <Icon aria-hidden="true" className="mt-px size-4 shrink-0" />
            <span className="flex-1">{text}</span>
            <button
              type="button"
              aria-label={t.dialog.close}
              onClick={() => toasts.dismiss(id)}
              className="-my-1 -mr-1.5 grid size-6 shrink-0 place-items-center rounded-full hover:bg-ink/10"
            >
              <X aria-hidden="true" className="size-3.5" />
            </button>
          </div>
        );
      })}
    </div>
  );
}
