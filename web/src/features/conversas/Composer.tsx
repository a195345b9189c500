import { Lock, Reply, SendHorizontal } from 'lucide-react';
import { type KeyboardEvent, useEffect, useId, useRef, useState } from 'react';
import type { CannedReply, MessageKind } from '@/shared/api/types';
import { useI18n } from '@/shared/i18n/useI18n';
import { useShortcut } from '@/shared/lib/useShortcut';
import { CannedReplies, fittingReplies } from './CannedReplies';
import type { Draft } from './drafts';
import { useClinic } from './useClinic';
import { useInbox } from './useInbox';

const KINDS = ['message', 'note'] as const;

/** Give it a `key` per conversation: each has its own draft. */
export function Composer({ conversationId, contactName }: { conversationId: string; contactName: string }) {
  const { t } = useI18n();
  const inbox = useInbox();
  const { drafts } = inbox;
  const [draft, setDraft] = useState(() => drafts.get(conversationId));
  useEffect(
    () => drafts.onChanged((id) => id === conversationId && setDraft(drafts.get(id))),
    [drafts, conversationId],
  );
  const field = useRef<HTMLTextAreaElement>(null);
  const panelId = useId();
  const note = draft.kind === 'note';
  const sendable = draft.body.trim() !== '';

  const change = (patch: Partial<Draft>) => {
    const next = { ...draft, ...patch };
    setDraft(next);
    drafts.set(conversationId, next);
  };
  const canned = useCanned(draft.body, (body) => change({ body }));
  const write = (kind: MessageKind) => {
    change({ kind });
    field.current?.focus();
  };
  useShortcut(['r'], () => write('message'));
  useShortcut(['n'], () => write('note'));

  const send = () => {
    if (!sendable) return;
    inbox.send(conversationId, draft.body.trim(), draft.kind);
    change({ body: '' });
    field.current?.focus();
  };

  const onKeyDown = (event: KeyboardEvent) => {
    if (canned.onKeyDown(event)) return;
    if (event.key === 'Escape') return field.current?.blur();
    if (!isSendKey(event)) return;
    event.preventDefault();
    send();
  };

  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
      className={`relative border-t px-3 pt-2 pb-3 transition-colors sm:px-4 ${note ? 'border-note-line bg-note' : 'border-line bg-raised'}`}
    >
      <div className="mx-auto max-w-4xl">
        <div className="mb-1.5 flex items-center justify-between gap-3">
          <Tabs kind={draft.kind} panelId={panelId} onChange={(kind) => change({ kind })} />
          <p className="hidden truncate px-1 text-ink-soft text-mini lg:block">{t.composer.hint}</p>
        </div>
        {canned.open && <CannedReplies {...canned} />}
        <div
          id={panelId}
          role="tabpanel"
          aria-label={note ? t.composer.note : t.composer.reply}
          className={`flex items-end gap-2 rounded-box border p-1.5 focus-within:outline-2 focus-within:outline-accent focus-within:-outline-offset-1 ${note ? 'border-note-line bg-raised/60' : 'border-line-strong bg-surface'}`}
        >
          <textarea
            ref={field}
            aria-label={t.composer.label}
            aria-controls={canned.open ? canned.id : undefined}
            aria-activedescendant={canned.open ? canned.activeId : undefined}
            rows={1}
            value={draft.body}
            placeholder={note ? t.composer.notePlaceholder : t.composer.replyPlaceholder(contactName)}
            onChange={(event) => change({ body: event.target.value })}
            onKeyDown={onKeyDown}
            className="field-sizing-content max-h-40 min-h-9 flex-1 resize-none bg-transparent px-2 py-[7px] outline-none placeholder:text-ink-soft"
          />
          <button
            type="submit"
            aria-label={t.composer.send}
            title={t.composer.send}
            disabled={!sendable}
            className={`grid size-9 shrink-0 place-items-center rounded-lg transition-colors disabled:bg-transparent disabled:text-ink-soft ${note ? 'bg-note-ink text-note' : 'bg-accent text-on-accent hover:bg-accent-strong'}`}
          >
            <SendHorizontal aria-hidden="true" className="size-4.5" />
          </button>
        </div>
      </div>
    </form>
  );
}

/** `/` and the beginning of a shortcut offer the clinic's canned replies; one that is taken stands there to be finished. */
function useCanned(body: string, onBody: (body: string) => void) {
  const { cannedReplies } = useClinic();
  const id = useId();
  const [at, setAt] = useState(0);
  const [dismissed, setDismissed] = useState('');
  const replies = fittingReplies(body, cannedReplies);
  const open = replies !== undefined && cannedReplies.length > 0 && dismissed !== body;
  const active = Math.min(at, Math.max(0, (replies?.length ?? 0) - 1));
  const take = (reply: CannedReply) => {
    setAt(0);
    onBody(reply.body);
  };
  const onKeyDown = (event: KeyboardEvent): boolean => {
    const chosen = replies?.[active];
    if (!open || event.nativeEvent.isComposing) return false;
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (by !== undefined) setAt(Math.max(0, Math.min((replies?.length ?? 1) - 1, active + by)));
    else if ((event.key === 'Enter' || event.key === 'Tab') && chosen) take(chosen);
    else if (event.key === 'Escape') setDismissed(body);
    else return false;
    event.preventDefault();
    event.stopPropagation();
    return true;
  };
  return { id, open, replies: replies ?? [], active, activeId: `${id}${active}`, onTake: take, onKeyDown };
}

/** Enter sends; Shift+Enter breaks the line; the Enter that ends a composed character (IME) does neither. */
function isSendKey(event: KeyboardEvent) {
  return event.key === 'Enter' && !event.shiftKey && !event.nativeEvent.isComposing;
}
function Tabs(props: { kind: MessageKind; panelId: string; onChange: (kind: MessageKind) => void }) {
  const { t } = useI18n();
  const list = useRef<HTMLDivElement>(null);
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== 'ArrowLeft' && event.key !== 'ArrowRight') return;
    const other = KINDS.find((kind) => kind !== props.kind) ?? 'message';
    props.onChange(other);
    list.current?.querySelector<HTMLElement>(`[data-kind=${other}]`)?.focus();
  };
  return (
    <div ref={list} role="tablist" aria-label={t.composer.mode} className="flex gap-1">
      {KINDS.map((kind) => {
        const selected = kind === props.kind;
        const Icon = kind === 'note' ? Lock : Reply;
        const look = kind === 'note' ? 'aria-selected:text-note-ink' : 'aria-selected:text-accent';
        return (
          <button
            key={kind}
            type="button"
            role="tab"
            data-kind={kind}
            aria-selected={selected}
            aria-controls={props.panelId}
            tabIndex={selected ? 0 : -1}
            onClick={() => props.onChange(kind)}
            onKeyDown={onKeyDown}
            className={`flex items-center gap-1.5 whitespace-nowrap rounded-md px-2 py-1 text-ink-soft text-meta hover:bg-ink/5 aria-selected:bg-ink/5 aria-selected:font-medium ${look}`}
          >
            <Icon aria-hidden="true" className="size-3.5" />
            {kind === 'note' ? t.composer.note : t.composer.reply}
          </button>
        );
      })}
    </div>
  );
}
