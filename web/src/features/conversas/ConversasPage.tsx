import { ArrowLeft } from 'lucide-react';
import { type ReactNode, useEffect } from 'react';
import { Link } from 'wouter';
import { useWebSocket } from '@/realtime/useWebSocket';
import { WebSocketStatus } from '@/realtime/WebSocketStatus';
import { useI18n } from '@/shared/i18n/useI18n';
import { contactAddress } from '@/shared/lib/format';
import { useMediaQuery } from '@/shared/lib/useMediaQuery';
import { Avatar } from '@/shared/ui/Avatar';
import { Composer } from './Composer';
import { ConversationList } from './ConversationList';
import type { Reading } from './store';
import { DeletedThread, NoThread, Thread } from './Thread';
import { unreadConversations } from './unread';
import { useInboxState, useOpenThread } from './useInbox';

const THREAD = 'thread';

interface ConversasPageProps {
  clinicName: string;
  conversationId: string | undefined;
  /** Where there is no rail (phones), the account stands in the list's header. */
  account: ReactNode;
}

/** Desktop: list and thread. Narrower: one of them. */
export function ConversasPage({ clinicName, conversationId, account }: ConversasPageProps) {
  const both = useMediaQuery('(min-width: 64rem)');
  useTitle();
  const list = (
    <section className="flex min-h-0 w-full flex-col border-line bg-raised lg:w-84 lg:border-r">
      <ListHeader clinicName={clinicName} account={account} status={!both} />
      {!both && <OfflineLine />}
      <ConversationList selectedId={conversationId} />
    </section>
  );
  return (
    <main className="flex min-h-0 min-w-0 flex-1">
      {both && conversationId && <SkipToThread />}
      {(both || !conversationId) && list}
      {(both || conversationId) && (
        <section id={THREAD} tabIndex={-1} className="flex min-h-0 min-w-0 flex-1 flex-col outline-none">
          {conversationId ? (
            <OpenConversation key={conversationId} id={conversationId} back={!both} />
          ) : (
            <>
              <Header>
                <span className="flex-1" />
                <Status />
              </Header>
              <OfflineLine />
              <NoThread />
            </>
          )}
        </section>
      )}
    </main>
  );
}

/** The tab says how many conversations wait to be read. */
function useTitle() {
  const { t } = useI18n();
  const unread = useInboxState(({ state, seen }) => unreadConversations(state, seen));
  useEffect(() => {
    const count = unread > 0 ? `(${unread}) ` : '';
    document.title = `${count}${t.nav.conversations} · ${t.product}`;
    return () => {
      document.title = t.product;
    };
  }, [unread, t]);
}

/** Past the list, for who works by keyboard. */
function SkipToThread() {
  const { t } = useI18n();
  return (
    <a
      href={`#${THREAD}`}
      className="sr-only rounded-box bg-raised px-4 py-2 font-medium text-accent shadow-float focus:not-sr-only focus:absolute focus:top-2 focus:left-16 focus:z-30"
    >
      {t.nav.skip}
    </a>
  );
}

function Header({ children }: { children: ReactNode }) {
  return (
    <header className="flex h-14 shrink-0 items-center gap-3 border-line border-b bg-raised px-3.5">
      {children}
    </header>
  );
}

function ListHeader(props: { clinicName: string; account: ReactNode; status: boolean }) {
  const { t } = useI18n();
  return (
    <Header>
      <div className="min-w-0 flex-1">
        <h1 className="font-semibold leading-5">{t.nav.conversations}</h1>
        <p className="truncate text-ink-soft text-mini">{props.clinicName}</p>
      </div>
      {props.status && <Status />}
      {props.account}
    </Header>
  );
}

function OpenConversation({ id, back }: { id: string; back: boolean }) {
  const { t } = useI18n();
  useOpenThread(id);
  const conversation = useInboxState(({ state }) => state.conversations.get(id));
  const patient = useInboxState(
    ({ state }) =>
      state.threads.get(id)?.shown.find((message) => message.author.type === 'contact')?.author.name,
  );
  const deleted = conversation?.deleted === true;
  const missing = useInboxState(({ readings }) => isMissing(readings.get(id))) && !conversation;
  const name = deleted ? t.thread.patient : (conversation?.contact.name ?? patient ?? t.thread.patient);
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
        {conversation && !deleted && <Avatar id={conversation.contact.id} name={name} size="small" />}
        <div className="min-w-0 flex-1">
          {!missing && !deleted && <h2 className="truncate font-semibold leading-5">{name}</h2>}
          {conversation && !deleted && (
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
      <div className="min-h-0 flex-1">
        {deleted ? <DeletedThread /> : <Thread conversationId={id} contactName={name} />}
      </div>
      {!missing && !deleted && <Composer conversationId={id} contactName={name} />}
    </>
  );
}

const isMissing = (reading: Reading | undefined) =>
  reading?.phase === 'failed' && reading.code === 'not_found';

function channelName(kind: string) {
  return kind === 'whatsapp' ? 'WhatsApp' : 'Webhook';
}

function Status() {
  const trueUntil = useInboxState((inbox) => inbox.trueUntil);
  const standIn = useInboxState((inbox) => inbox.standIn);
  return <WebSocketStatus trueUntil={trueUntil} standIn={standIn} />;
}

/** On red: what still works. */
function OfflineLine() {
  const { t } = useI18n();
  const { status } = useWebSocket();
  const standIn = useInboxState((inbox) => inbox.standIn);
  if (status !== 'error') return null;
  return (
    <p className="shrink-0 border-line border-b bg-broken-tint px-4 py-1 text-broken text-meta">
      {standIn === 'working' ? t.status.standIn : t.status.offline}
    </p>
  );
}
