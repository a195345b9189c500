import { Pencil, Trash2 } from 'lucide-react';
import { useState } from 'react';
import type { Message } from '@/shared/api/types';
import { useI18n } from '@/shared/i18n/useI18n';
import { Confirm } from '@/shared/ui/Dialog';
import { AskText } from './ask';
import { useInbox } from './useInbox';

const MAX_BODY = 16_384;

/** One's own notes, and replies that wait to leave; the server has the last word. */
export function isChangeable(message: Message, memberId: string): boolean {
  if (message.deleted || message.author.id !== memberId) return false;
  return message.kind === 'note' || message.status === 'queued';
}

/** Seen when the message is pointed at or reached by keyboard. */
export function MessageActions({ message }: { message: Message }) {
  const { t } = useI18n();
  const inbox = useInbox();
  const [question, setQuestion] = useState<'edit' | 'takeBack'>();
  const close = () => setQuestion(undefined);
  const look = 'grid size-7 place-items-center rounded-md hover:bg-ink/10';
  return (
    <span className="float-right -mr-1 ml-2 flex text-ink-soft opacity-0 focus-within:opacity-100 group-hover:opacity-100 pointer-coarse:opacity-100">
      <button
        type="button"
        aria-label={t.message.edit}
        title={t.message.edit}
        onClick={() => setQuestion('edit')}
        className={look}
      >
        <Pencil aria-hidden="true" className="size-3.5" />
      </button>
      <button
        type="button"
        aria-label={t.message.takeBack}
        title={t.message.takeBack}
        onClick={() => setQuestion('takeBack')}
        className={look}
      >
        <Trash2 aria-hidden="true" className="size-3.5" />
      </button>
      {question === 'edit' && (
        <AskText
          title={t.message.edit}
          label={t.composer.label}
          value={message.body}
          maxLength={MAX_BODY}
          long
          onClose={close}
          onAnswer={(body) => inbox.edit(message, body)}
        />
      )}
      {question === 'takeBack' && (
        <Confirm
          title={t.message.takeBackTitle}
          text={t.message.takeBackText}
          action={t.message.takeBack}
          onClose={close}
          onConfirm={() => {
            close();
            inbox.takeBack(message);
          }}
        />
      )}
    </span>
  );
}
