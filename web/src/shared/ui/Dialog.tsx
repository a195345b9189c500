import { X } from 'lucide-react';
import { type ReactNode, useId, useLayoutEffect, useRef } from 'react';
import { useI18n } from '@/shared/i18n/useI18n';
import { Button } from './Button';

/** The browser's own modal: it keeps the focus inside, Escape closes it, and focus goes back to where it was. */
export function Dialog(props: { title: string; onClose: () => void; children: ReactNode }) {
  const { t } = useI18n();
  const element = useRef<HTMLDialogElement>(null);
  const id = useId();
  // Closed before it leaves the page: only then does the browser give the focus back.
  useLayoutEffect(() => {
    const dialog = element.current;
    if (!dialog?.open) dialog?.showModal();
    dialog?.querySelector<HTMLElement>('input, textarea, select')?.focus(); // else the first button has it
    return () => dialog?.close();
  }, []);
  return (
    <dialog
      ref={element}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        props.onClose();
      }}
      className="m-auto w-[min(30rem,calc(100vw-2rem))] rounded-box border border-line bg-raised p-5 text-ink shadow-float backdrop:bg-scrim"
    >
      <div className="mb-4 flex items-start justify-between gap-4">
        <h2 id={id} className="font-semibold">
          {props.title}
        </h2>
        <button
          type="button"
          aria-label={t.dialog.close}
          title={t.dialog.close}
          onClick={props.onClose}
          className="-mt-1 -mr-1 grid size-8 shrink-0 place-items-center rounded-full text-ink-soft hover:bg-sunken"
        >
          <X aria-hidden="true" className="size-4.5" />
        </button>
      </div>
      {props.children}
    </dialog>
  );
}

/** A question before something that cannot be taken back. */
export function Confirm(props: {
  title: string;
  text: string;
  action: string;
  onConfirm: () => void;
  onClose: () => void;
}) {
  const { t } = useI18n();
  return (
    <Dialog title={props.title} onClose={props.onClose}>
      <p className="text-ink-soft">{props.text}</p>
      <DialogButtons>
        <Button onClick={props.onClose}>{t.dialog.cancel}</Button>
        <Button look="danger" onClick={props.onConfirm}>
          {props.action}
        </Button>
      </DialogButtons>
    </Dialog>
  );
}

export function DialogButtons({ children }: { children: ReactNode }) {
  return <div className="mt-5 flex flex-wrap justify-end gap-2 *:px-3.5 *:py-2 *:text-body">{children}</div>;
}
