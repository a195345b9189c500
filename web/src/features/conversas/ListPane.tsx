import { Search, X } from 'lucide-react';
import { type ReactNode, useRef } from 'react';
import { useI18n } from '@/shared/i18n/useI18n';
import { useShortcut } from '@/shared/lib/useShortcut';
import { ConversationList } from './ConversationList';
import { FilterBar } from './FilterBar';
import { Header, OfflineLine, Status } from './paneHeader';
import { SearchResults } from './SearchResults';

interface ListPaneProps {
  clinicName: string;
  account: ReactNode;
  /** Where it stands alone, the connection's state stands here. */
  status: boolean;
  selectedId: string | undefined;
  query: string;
  onQuery: (query: string) => void;
}

/** Conversations, or what was found. */
export function ListPane(props: ListPaneProps) {
  const { t } = useI18n();
  const { query } = props;
  return (
    <section className="flex min-h-0 w-full flex-col border-line bg-raised lg:w-84 lg:shrink-0 lg:border-r">
      <Header>
        <div className="min-w-0 flex-1">
          <h1 className="font-semibold leading-5">{t.nav.conversations}</h1>
          <p className="truncate text-ink-soft text-mini">{props.clinicName}</p>
        </div>
        {props.status && <Status />}
        {props.account}
      </Header>
      {props.status && <OfflineLine />}
      <SearchBox query={query} onQuery={props.onQuery} />
      {query.trim() ? (
        <SearchResults query={query} />
      ) : (
        <>
          <FilterBar />
          <ConversationList selectedId={props.selectedId} />
        </>
      )}
    </section>
  );
}

function SearchBox({ query, onQuery }: { query: string; onQuery: (query: string) => void }) {
  const { t } = useI18n();
  const field = useRef<HTMLInputElement>(null);
  useShortcut(['/'], () => field.current?.focus());
  const leave = () => {
    onQuery('');
    field.current?.blur();
  };
  return (
    <search className="relative block px-3 pt-2">
      <Search aria-hidden="true" className="absolute top-[18px] left-6 size-4 text-ink-soft" />
      <input
        ref={field}
        type="text"
        enterKeyHint="search"
        aria-label={t.search.label}
        placeholder={t.search.placeholder}
        value={query}
        onChange={(event) => onQuery(event.target.value)}
        onKeyDown={(event) => {
          if (event.key !== 'Escape') return;
          event.stopPropagation();
          leave();
        }}
        className="h-9 w-full rounded-box border border-line-strong bg-surface px-9 text-meta placeholder:text-ink-soft focus-visible:-outline-offset-1"
      />
      {query && (
        <button
          type="button"
          aria-label={t.search.clear}
          title={t.search.clear}
          onClick={leave}
          className="absolute top-2.5 right-4 grid size-8 place-items-center rounded-full text-ink-soft hover:bg-sunken"
        >
          <X aria-hidden="true" className="size-4" />
        </button>
      )}
    </search>
  );
}
