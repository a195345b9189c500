import { type ReactNode, useEffect, useState } from 'react';
import { useLocation } from 'wouter';
import { useI18n } from '@/shared/i18n/useI18n';
import { useMediaQuery } from '@/shared/lib/useMediaQuery';
import { useShortcut } from '@/shared/lib/useShortcut';
import { ConversationPane } from './ConversationPane';
import { ListPane } from './ListPane';
import { Header, OfflineLine, Status } from './paneHeader';
import { ShortcutsHelp } from './ShortcutsHelp';
import { NoThread } from './Thread';
import { unreadConversations } from './unread';
import { useInbox } from './useInbox';

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
  const [query, setQuery] = useState('');
  const [, navigate] = useLocation();
  useTitle();
  useShortcut(['Escape'], () => navigate('/conversas'), conversationId !== undefined);
  return (
    <main className="flex min-h-0 min-w-0 flex-1">
      {both && conversationId && <SkipToThread />}
      {(both || !conversationId) && (
        <ListPane
          clinicName={clinicName}
          account={account}
          status={!both}
          selectedId={conversationId}
          query={query}
          onQuery={setQuery}
        />
      )}
      {(both || conversationId) && (
        <section id={THREAD} tabIndex={-1} className="flex min-h-0 min-w-0 flex-1 flex-col outline-none">
          {conversationId ? (
            <ConversationPane key={conversationId} id={conversationId} back={!both} />
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
      <ShortcutsHelp />
    </main>
  );
}

const TITLE_AFTER_MS = 250;

/** The tab says how many conversations wait to be read; a moment later, for counting ten thousand must delay no frame. */
function useTitle() {
  const { t } = useI18n();
  const inbox = useInbox();
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const write = () => {
      timer = undefined;
      const { state, seen } = inbox.getSnapshot();
      const unread = unreadConversations(state, seen);
      const count = unread > 0 ? `(${unread}) ` : '';
      document.title = `${count}${t.nav.conversations} · ${t.product}`;
    };
    write();
    const forget = inbox.subscribe(() => {
      timer ??= setTimeout(write, TITLE_AFTER_MS);
    });
    return () => {
      forget();
      clearTimeout(timer);
      document.title = t.product;
    };
  }, [inbox, t]);
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
