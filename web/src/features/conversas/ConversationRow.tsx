import { CircleAlert, Lock } from 'lucide-react';
import { memo, useId } from 'react';
import { Link } from 'wouter';
import type { Conversation, Member } from '@/shared/api/types';
import { useI18n } from '@/shared/i18n/useI18n';
import { firstName, fullTime, initials, listTime, soonTime } from '@/shared/lib/format';
import { Avatar } from '@/shared/ui/Avatar';
import { LabelDot } from './LabelDot';
import type { ClinicView } from './useClinic';
import { useInboxState, useUnread } from './useInbox';

export const ROW_HEIGHT_PX = 72;

interface RowProps {
  conversation: Conversation;
  member: Member;
  clinic: ClinicView;
  selected: boolean;
  /** A message of mine waits for my decision. */
  unsent: boolean;
  /** Renewed each minute, so that "ontem" becomes true at midnight. */
  minute: number;
}

/** Selected, hovered, focused and unread are four different looks. */
export const ConversationRow = memo(function ConversationRow(props: RowProps) {
  const { conversation, selected } = props;
  const { t, locale } = useI18n();
  const id = useId();
  const unread = useUnread(conversation);
  const own = useOwnLast(conversation, props.member, props.clinic);
  const at = new Date(conversation.lastMessage?.at ?? conversation.createdAt);
  return (
    <Link
      href={`/conversas/${conversation.id}`}
      aria-current={selected ? 'page' : undefined}
      aria-labelledby={`${id}name`}
      aria-describedby={`${id}unread ${id}last ${id}time ${id}marks`}
      data-unread={unread > 0 ? unread : undefined}
      data-conversation-id={conversation.id}
      className="group relative flex h-full items-center gap-3 px-3.5 hover:bg-surface focus-visible:-outline-offset-2 aria-[current]:bg-accent-tint"
    >
      <span
        aria-hidden="true"
        className="absolute inset-y-0 left-0 w-[3px] bg-transparent group-aria-[current]:bg-accent"
      />
      <Avatar id={conversation.contact.id} name={conversation.contact.name} />
      <span className="flex min-w-0 flex-1 flex-col gap-0.5">
        <span className="flex items-baseline justify-between gap-2">
          <span id={`${id}name`} className="truncate font-medium group-data-unread:font-bold">
            {conversation.contact.name}
          </span>
          <Waiting conversation={conversation} clinic={props.clinic} minute={props.minute} />
          <time
            id={`${id}time`}
            dateTime={at.toISOString()}
            title={fullTime(locale, at)}
            className="shrink-0 text-ink-soft text-mini tabular-nums group-data-unread:font-semibold group-data-unread:text-accent"
          >
            {listTime(locale, at, new Date(props.minute), t.list.yesterday)}
          </time>
        </span>
        <span className="flex items-center gap-2 text-ink-soft text-meta">
          <span
            id={`${id}last`}
            className="flex min-w-0 flex-1 items-center gap-1 group-data-unread:text-ink"
          >
            <LastLine conversation={conversation} own={own} />
          </span>
          <Marks conversation={conversation} clinic={props.clinic} unsent={props.unsent} />
          {unread > 0 && <UnreadCount id={`${id}unread`} count={unread} />}
        </span>
      </span>
    </Link>
  );
});

/** How long the patient has been waiting, once it is longer than the clinic wants: amber, twice as long red. */
function Waiting(props: { conversation: Conversation; clinic: ClinicView; minute: number }) {
  const { t } = useI18n();
  const { waitingSince, status } = props.conversation;
  const limit = props.clinic.waitingLimitMinutes;
  if (limit === undefined || waitingSince === undefined || status === 'resolved') return null;
  const minutes = Math.floor((props.minute - Date.parse(waitingSince)) / 60_000);
  if (minutes < limit) return null;
  const look = minutes >= 2 * limit ? 'text-broken' : 'text-waiting';
  return (
    <span className={`ml-auto shrink-0 font-medium text-mini tabular-nums ${look}`}>
      {t.list.waiting(minutes)}
    </span>
  );
}

/** What else there is to know of it at a glance: refused, status, labels, whose it is. */
function Marks(props: { conversation: Conversation; clinic: ClinicView; unsent: boolean }) {
  const { t, locale } = useI18n();
  const { conversation, clinic } = props;
  const { status, snoozedUntil, labels, assigneeId } = conversation;
  const assignee = assigneeId && (clinic.nameOf(assigneeId) ?? '?');
  return (
    <span className="flex shrink-0 items-center gap-1.5">
      {props.unsent && (
        <span title={t.list.unsent} className="text-broken">
          <CircleAlert aria-hidden="true" className="size-4" />
          <span className="sr-only">{t.list.unsent}</span>
        </span>
      )}
      {labels.length > 0 && (
        <span title={labels.join(', ')} className="flex gap-0.5">
          {labels.slice(0, 3).map((label) => (
            <LabelDot key={label} colour={clinic.colourOf(label)} />
          ))}
          <span className="sr-only">{labels.join(', ')}</span>
        </span>
      )}
      {status !== 'open' && (
        <span className="rounded bg-sunken px-1.5 text-mini tabular-nums">
          {status === 'snoozed' && snoozedUntil
            ? t.list.snoozedUntil(soonTime(locale, new Date(snoozedUntil), new Date()))
            : t.list.status[status]}
        </span>
      )}
      {assignee && (
        <span
          title={t.list.assignedTo(assignee)}
          className="grid h-5 min-w-5 place-items-center rounded-full border border-line-strong px-1 font-medium text-[10px] leading-none"
        >
          <span aria-hidden="true">{initials(assignee)}</span>
          <span className="sr-only">{t.list.assignedTo(assignee)}</span>
        </span>
      )}
    </span>
  );
}

const MOST_SHOWN = 99;

function UnreadCount({ id, count }: { id: string; count: number }) {
  const { t } = useI18n();
  return (
    <span className="-my-px grid h-5 min-w-5 shrink-0 place-items-center rounded-full bg-accent px-1.5 font-semibold text-mini text-on-accent tabular-nums">
      <span aria-hidden="true">{count > MOST_SHOWN ? `${MOST_SHOWN}+` : count}</span>
      <span id={id} className="sr-only">
        {t.list.unread(count)}
      </span>
    </span>
  );
}

/** Who wrote it is told by its message where that is held; the list's line has a name only, which a colleague may share. */
function useOwnLast({ id, lastMessage }: Conversation, member: Member, clinic: ClinicView): boolean {
  const authorId = useInboxState(({ state }) => {
    const rows = state.threads.get(id)?.rows;
    return lastMessage && rows?.get(lastMessage.id)?.author.id;
  });
  if (authorId !== undefined) return authorId === member.id;
  return lastMessage?.authorName === member.name && !clinic.hasNamesakes(member);
}

function LastLine({ conversation, own }: { conversation: Conversation; own: boolean }) {
  const { t } = useI18n();
  const last = conversation.lastMessage;
  if (!last) return <span className="italic">{t.list.noMessages}</span>;
  const author = last.direction === 'inbound' ? null : own ? t.list.you : firstName(last.authorName);
  return (
    <>
      {last.kind === 'note' && (
        <span className="shrink-0 text-note-ink">
          <Lock aria-hidden="true" className="size-3.5" />
          <span className="sr-only">{t.list.note}</span>
        </span>
      )}
      <span className="truncate">
        {author && <span className="text-ink">{author}: </span>}
        {last.preview || (last.direction === 'outbound' && <em>{t.thread.deleted}</em>)}
      </span>
    </>
  );
}
