import { Lock } from 'lucide-react';
import { memo, useId } from 'react';
import { Link } from 'wouter';
import type { Conversation, Member } from '@/shared/api/types';
import { useI18n } from '@/shared/i18n/useI18n';
import { firstName, fullTime, listTime } from '@/shared/lib/format';
import { Avatar } from '@/shared/ui/Avatar';
import { useUnread } from './useInbox';

export const ROW_HEIGHT_PX = 72;

interface RowProps {
  conversation: Conversation;
  member: Member;
  selected: boolean;
  /** Renewed each minute, so that "ontem" becomes true at midnight. */
  minute: number;
}

/** Selected, hovered, focused and unread are four different looks. */
export const ConversationRow = memo(function ConversationRow(props: RowProps) {
  const { conversation, selected } = props;
  const { t, locale } = useI18n();
  const id = useId();
  const unread = useUnread(conversation);
  const at = new Date(conversation.lastMessage?.at ?? conversation.createdAt);
  return (
    <Link
      href={`/conversas/${conversation.id}`}
      aria-current={selected ? 'page' : undefined}
      aria-labelledby={`${id}name`}
      aria-describedby={`${id}unread ${id}last ${id}time`}
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
            <LastLine conversation={conversation} member={props.member} />
          </span>
          {unread > 0 && <UnreadCount id={`${id}unread`} count={unread} />}
        </span>
      </span>
    </Link>
  );
});

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

function LastLine({ conversation, member }: { conversation: Conversation; member: Member }) {
  const { t } = useI18n();
  const last = conversation.lastMessage;
  if (!last) return <span className="italic">{t.list.noMessages}</span>;
  const own = last.authorName === member.name;
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
      {conversation.status !== 'open' && (
        <span className="ml-auto shrink-0 rounded bg-sunken px-1.5 text-mini">
          {t.list.status[conversation.status]}
        </span>
      )}
    </>
  );
}
