import {
  Check,
  CheckCheck,
  CircleAlert,
  Clock,
  FileText,
  Image,
  Lock,
  Mic,
  Paperclip,
  Trash2,
  Video,
} from 'lucide-react';
import type { ReactNode } from 'react';
import type { Attachment, Message } from '@/shared/api/types';
import { errorText, failureText } from '@/shared/i18n/catalogue';
import { useI18n } from '@/shared/i18n/useI18n';
import { clockTime, fileSize, fullTime } from '@/shared/lib/format';
import type { OrderState, Pending } from './orders';
import type { Entry } from './timeline';

export interface BubbleProps {
  entry: Entry;
  memberId: string;
  contactName: string;
  startsGroup: boolean;
  endsGroup: boolean;
  /** The message this one answers, when it is held. */
  repliedTo: Message | undefined;
  /** A search has led here. */
  found?: boolean;
  onRetry: (pending: Pending) => void;
  onDiscard: (pending: Pending) => void;
  onRepeat: (message: Message) => void;
  /** Given where the message may still be changed. */
  actions?: ReactNode;
}

type Status = Message['status'] | OrderState;
type Tone = 'patient' | 'clinic' | 'note';

/** The patient left, the clinic right, a note across the whole width. */
export function Bubble(props: BubbleProps) {
  const { t, locale } = useI18n();
  const { message, pending } = props.entry;
  const tone = toneOf(props.entry);
  const at = new Date((message ?? pending).createdAt);
  const status: Status = message?.status ?? pending?.state ?? 'sending';
  const author = !message || message.author.id === props.memberId ? t.thread.you : message.author.name;
  const deleted = message?.deleted === true;
  const failed = status === 'failed' && !deleted;
  return (
    <article
      data-message-id={message?.id}
      data-client-key={message?.clientKey ?? pending?.clientKey}
      data-status={status}
      data-deleted={message?.deleted}
      data-found={props.found || undefined}
      aria-label={`${author}, ${clockTime(locale, at)}`}
      className={`group flex flex-col px-4 data-found:bg-accent-tint sm:px-6 ${tone === 'clinic' ? 'items-end' : 'items-start'} ${props.endsGroup ? 'pb-3' : 'pb-0.5'}`}
    >
      <Heading tone={tone} author={author} shown={props.startsGroup} />
      <div className={shapeOf(tone, props)}>
        {props.actions}
        {props.repliedTo && !deleted && <Quote message={props.repliedTo} memberId={props.memberId} />}
        {!deleted &&
          message?.attachments.map((attachment) => (
            <AttachmentLine key={attachment.id} attachment={attachment} />
          ))}
        <div className="flow-root whitespace-pre-wrap wrap-anywhere">
          {deleted ? <Deleted /> : (message?.body ?? pending?.body)}
          {/* floats: in the last line where there is room, below it where there is none */}
          <span className="float-right mt-[5px] -mr-0.5 ml-2.5 flex items-center gap-1 whitespace-nowrap text-ink-soft text-mini tabular-nums">
            {message?.editedAt && !deleted && <span>{t.thread.edited}</span>}
            <time dateTime={at.toISOString()} title={fullTime(locale, at)}>
              {clockTime(locale, at)}
            </time>
            {tone !== 'patient' && !deleted && <Glyph status={status} note={tone === 'note'} />}
          </span>
        </div>
      </div>
      {pending && pending.state !== 'sending' && <PendingLine {...props} pending={pending} />}
      {message && failed && <FailureLine message={message} onRepeat={props.onRepeat} />}
    </article>
  );
}

function toneOf({ message, pending }: Entry): Tone {
  if ((message ?? pending)?.kind === 'note') return 'note';
  return message?.direction === 'inbound' ? 'patient' : 'clinic';
}

function shapeOf(tone: Tone, { entry, endsGroup }: BubbleProps): string {
  const shape = 'rounded-2xl px-3 py-1.5';
  const width = 'max-w-[min(88%,36rem)] sm:max-w-[min(76%,36rem)]';
  if (entry.message?.deleted) return `${shape} ${width} ring-1 ring-line ring-inset`;
  const failed = (entry.message?.status ?? entry.pending?.state) === 'failed';
  if (tone === 'note') return `${shape} w-full rounded-box border border-note-line bg-note`;
  if (tone === 'patient') {
    return `${shape} ${width} bg-raised ring-1 ring-line ring-inset ${endsGroup ? 'rounded-bl-md' : ''}`;
  }
  const ground = failed ? 'bg-broken-tint ring-1 ring-broken/40 ring-inset' : 'bg-own';
  return `${shape} ${width} ${ground} ${endsGroup ? 'rounded-br-md' : ''}`;
}

/** A tombstone keeps the message's place, quietly. */
function Deleted() {
  const { t } = useI18n();
  return (
    <span className="text-ink-soft">
      <Trash2 aria-hidden="true" className="mr-1.5 inline size-3.5 align-[-2px]" />
      <em>{t.thread.deleted}</em>
    </span>
  );
}

/** Who speaks, where it is not obvious: the patient is named in the thread's header. */
function Heading(props: { tone: Tone; author: string; shown: boolean }) {
  const { t } = useI18n();
  if (props.tone === 'note') {
    return (
      <p className="mb-1 flex items-center gap-1.5 text-meta text-note-ink">
        <Lock aria-hidden="true" className="size-3.5" />
        <span className="font-medium">{t.thread.note}</span>
        <span>
          · {props.author} · {t.thread.noteOnly}
        </span>
      </p>
    );
  }
  if (!props.shown || props.tone === 'patient') return null;
  return <p className="mb-1 px-1 text-ink-soft text-meta">{props.author}</p>;
}

function Glyph({ status, note }: { status: Status; note: boolean }) {
  const { t } = useI18n();
  const [Icon, look] = glyphOf(status, note);
  const word = note && status !== 'sending' && status !== 'waiting' && status !== 'failed' ? 'saved' : status;
  return (
    <span title={t.message.status[word]}>
      <Icon aria-hidden="true" className={`size-3.5 ${look}`} />
      <span className="sr-only">{t.message.status[word]}</span>
    </span>
  );
}

function glyphOf(status: Status, note: boolean): [typeof Check, string] {
  if (status === 'failed') return [CircleAlert, 'text-broken'];
  if (status === 'sending' || status === 'waiting') return [Clock, ''];
  if (note) return [Check, ''];
  if (status === 'read') return [CheckCheck, 'text-accent'];
  if (status === 'delivered') return [CheckCheck, ''];
  if (status === 'queued') return [Clock, ''];
  return [Check, ''];
}

function PendingLine({ pending, contactName, onRetry, onDiscard }: BubbleProps & { pending: Pending }) {
  const { t } = useI18n();
  const failed = pending.state === 'failed';
  const moved = pending.reason === 'conversation_moved';
  const why = moved ? t.message.moved(contactName) : `${t.message.failed} ${errorText(t, pending.reason)}`;
  return (
    <Line tone={failed ? 'broken' : 'waiting'}>
      <span>{failed ? why : t.message.waitingText}</span>
      {failed && (
        <LineButton onClick={() => onRetry(pending)}>
          {moved ? t.message.sendAnyway : t.message.retry}
        </LineButton>
      )}
      {failed && <span aria-hidden="true">·</span>}
      <LineButton onClick={() => onDiscard(pending)}>{t.message.discard}</LineButton>
    </Line>
  );
}

function FailureLine({ message, onRepeat }: { message: Message; onRepeat: (message: Message) => void }) {
  const { t } = useI18n();
  return (
    <Line tone="broken">
      <span>{failureText(t, message.failure)}</span>
      <LineButton onClick={() => onRepeat(message)}>{t.message.sendAnew}</LineButton>
    </Line>
  );
}

function Line({ tone, children }: { tone: 'broken' | 'waiting'; children: ReactNode }) {
  return (
    <p
      className={`mt-1 flex flex-wrap items-center justify-end gap-x-1.5 px-1 text-meta ${tone === 'broken' ? 'text-broken' : 'text-waiting'}`}
    >
      {children}
    </p>
  );
}

function LineButton(props: { onClick: () => void; children: ReactNode }) {
  return (
    <button
      type="button"
      onClick={props.onClick}
      className="rounded font-medium underline underline-offset-2 hover:no-underline"
    >
      {props.children}
    </button>
  );
}

function Quote({ message, memberId }: { message: Message; memberId: string }) {
  const { t } = useI18n();
  const author = message.author.id === memberId ? t.thread.you : message.author.name;
  return (
    <div className="mt-0.5 mb-1.5 rounded-md border-accent border-l-[3px] bg-ink/5 px-2 py-1 text-meta">
      <p className="font-medium">
        <span className="sr-only">{t.thread.replyingTo(author)}</span>
        <span aria-hidden="true">{author}</span>
      </p>
      <p className="line-clamp-2 text-ink-soft">
        {message.deleted ? <em>{t.thread.deleted}</em> : message.body}
      </p>
    </div>
  );
}

const ATTACHMENT_ICONS: Record<string, typeof Check> = {
  image: Image,
  audio: Mic,
  video: Video,
  document: FileText,
};

function AttachmentLine({ attachment }: { attachment: Attachment }) {
  const { t, locale } = useI18n();
  const Icon = ATTACHMENT_ICONS[attachment.kind] ?? Paperclip;
  const words = t.message.attachment as Record<string, string>;
  const kind = words[attachment.kind] ?? t.message.attachment.other;
  return (
    <div className="mt-1 mb-1.5 flex items-center gap-2.5 rounded-lg bg-ink/5 py-2 pr-3 pl-2.5 text-meta">
      <Icon aria-hidden="true" className="size-5 shrink-0 text-ink-soft" />
      <span className="min-w-0">
        <span className="block truncate font-medium">{attachment.name ?? kind}</span>
        <span className="block text-ink-soft text-mini">
          {[attachment.name && kind, attachment.size !== undefined && fileSize(locale, attachment.size)]
            .filter(Boolean)
            .join(' · ') || attachment.mimeType}
        </span>
      </span>
    </div>
  );
}
