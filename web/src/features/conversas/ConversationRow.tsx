import { Lock } from 'lucide-react';
import { memo, useId } from 'react';
import { Link } from 'wouter';
import type { Conversation, Member } from '@/shared/api/types';
import { useI18n } from '@/shared/i18n/useI18n';
import { firstName, fullTime, listTime } from '@/shared/lib/format';
import { Avatar } from '@/shared/ui/Avatar';

export const ROW_HEIGHT_PX = 72;

interface RowProps {
  conversation: Conversation;
  member: Member;
  selected: boolean;
  /** Renewed each minute, so that "ontem" becomes true at midnight. */
  minute: number;
}

/** Selected, hovered and focused are three different looks. */
export const ConversationRow = memo(function ConversationRow(props: RowProps) {
  const { conversation, selected } = props;
  const { t, locale } = useI18n();
  const id = useId();
  const at = new Date(conversation.lastMessage?.at ?? conversation.createdAt);
  return (
    <Link
      href={`/conversas/${conversation.id}`}
      aria-current={selected ? 'page' : undefined}
      aria-labelledby={`${id}name`}
      aria-describedby={`${id}last ${id}time`}
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
          <span id={`${id}name`} className="truncate font-medium">
            {conversation.contact.name}
          </span>
          <time
            id={`${id}time`}
            dateTime={at.toISOString()}
            title={fullTime(locale, at)}
            className="shrink-0 text-ink-soft text-mini tabular-nums"
          >
            {listTime(locale, at, new Date(props.minute), t.list.yesterday)}
          </time>
        </span>
        <span id={`${id}last`} className="flex items-center gap-1 text-ink-soft text-meta">
          <LastLine conversation={conversation} member={props.member} />
        </span>
      </span>
    </Link>
  );
});

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
        {last.preview}
      </span>
      {conversation.status !== 'open' && (
        <span className="ml-auto shrink-0 rounded bg-sunken px-1.5 text-mini">
          {t.list.status[conversation.status]}
        </span>
      )}
    </>
  );
}
