import { ArrowLeft } from 'lucide-react';
import { useState } from 'react';
import { Link } from 'wouter';
import { useI18n } from '@/shared/i18n/useI18n';
import { contactAddress } from '@/shared/lib/format';
import { recall, remember } from '@/shared/lib/remembered';
import { useMediaQuery } from '@/shared/lib/useMediaQuery';
import { Avatar } from '@/shared/ui/Avatar';
import { ActionBar } from './ActionBar';
import { Composer } from './Composer';
import { channelName } from './channelName';
import { Details } from './Details';
import { Header, OfflineLine, Status } from './paneHeader';
import type { Reading } from './store';
import { DeletedThread, Thread } from './Thread';
import { useConversation, useInboxState, useOpenThread } from './useInbox';

/** One conversation: who, what can be done, what was said, the answer. Give it a `key`. */
export function ConversationPane({ id, back }: { id: string; back: boolean }) {
  const { t } = useI18n();
  useOpenThread(id);
  const conversation = useConversation(id);
  const patient = useInboxState(
    ({ state }) =>
      state.threads.get(id)?.shown.find((message) => message.author.type === 'contact')?.author.name,
  );
  const details = useDetails();
  const deleted = conversation?.deleted === true;
  const missing = useInboxState(({ readings }) => isMissing(readings.get(id))) && !conversation;
  const name = deleted ? t.thread.patient : (conversation?.contact.name ?? patient ?? t.thread.patient);
  const there = conversation && !deleted;
  return (
    <>
      <Header>
        {back && (
          <Link
            href="/conversas"
            aria-label={t.nav.back}
            className="-ml-1.5 grid size-9 shrink-0 place-items-center rounded-full text-ink-soft hover:bg-sunken"
          >
            <ArrowLeft aria-hidden="true" className="size-5" />
          </Link>
        )}
        {there && <Avatar id={conversation.contact.id} name={name} size="small" />}
        <div className="min-w-0 flex-1">
          {!missing && !deleted && <h2 className="truncate font-semibold leading-5">{name}</h2>}
          {there && (
            <p className="truncate text-ink-soft text-mini tabular-nums">
              {contactAddress(conversation.contact.address)}
              <span className="hidden sm:inline">
                {' · '}
                {channelName(conversation.channel.kind)}
                {' · '}
                {t.list.status[conversation.status]}
              </span>
            </p>
          )}
        </div>
        <Status />
      </Header>
      <OfflineLine />
      {there && <ActionBar conversation={conversation} details={details.open} onDetails={details.toggle} />}
      <div className="flex min-h-0 flex-1">
        {(!details.open || details.beside || !there) && (
          <div className="flex min-h-0 min-w-0 flex-1 flex-col">
            <div className="min-h-0 flex-1">
              {deleted ? <DeletedThread /> : <Thread conversationId={id} contactName={name} />}
            </div>
            {!missing && !deleted && <Composer conversationId={id} contactName={name} />}
          </div>
        )}
        {there && details.open && <Details conversation={conversation} onClose={details.toggle} />}
      </div>
    </>
  );
}

/** Beside the thread where there is room, as it was left; in its place where there is none, when asked for. */
function useDetails() {
  const beside = useMediaQuery('(min-width: 80rem)');
  const [wanted, setWanted] = useState(() => recall('details') === 'open');
  const [instead, setInstead] = useState(false);
  const open = beside ? wanted : instead;
  const toggle = () => {
    if (!beside) return setInstead(!instead);
    remember('details', wanted ? 'closed' : 'open');
    setWanted(!wanted);
  };
  return { beside, open, toggle };
}

const isMissing = (reading: Reading | undefined) =>
  reading?.phase === 'failed' && reading.code === 'not_found';
