import { Lock, SearchX, TriangleAlert } from 'lucide-react';
import { useId } from 'react';
import { Link } from 'wouter';
import type { SearchHit } from '@/shared/api/types';
import { errorText } from '@/shared/i18n/catalogue';
import { useI18n } from '@/shared/i18n/useI18n';
import { listTime } from '@/shared/lib/format';
import { useDelayed } from '@/shared/lib/useDelayed';
import { Avatar } from '@/shared/ui/Avatar';
import { Button } from '@/shared/ui/Button';
import { Notice } from '@/shared/ui/Notice';
import { snippet } from './snippet';
import { useSearch } from './useSearch';

export function SearchResults({ query }: { query: string }) {
  const { t } = useI18n();
  const { phase, hits, before, code, more, again } = useSearch(query);
  const slow = useDelayed(phase === 'searching', 400);
  return (
    <section
      aria-label={t.search.results}
      className="mt-2 min-h-0 flex-1 overflow-y-auto border-line border-t"
    >
      <p role="status" className="sr-only">
        {phase === 'found' ? t.search.count(hits.length) : ''}
      </p>
      {phase === 'failed' && (
        <Notice
          alert
          icon={<TriangleAlert className="size-6" />}
          title={t.search.failed}
          text={errorText(t, code)}
          action={<Button onClick={again}>{t.list.retry}</Button>}
        />
      )}
      {phase === 'found' && hits.length === 0 && (
        <Notice icon={<SearchX className="size-6" />} title={t.search.none} text={t.search.noneText} />
      )}
      {slow && hits.length === 0 && (
        <p className="p-4 text-center text-ink-soft text-meta">{t.search.searching}</p>
      )}
      {phase !== 'failed' && (
        <ul>
          {hits.map((hit) => (
            <li key={hit.message.id} className="border-line border-b">
              <Hit hit={hit} />
            </li>
          ))}
        </ul>
      )}
      {phase === 'found' && before !== null && (
        <p className="p-3 text-center">
          <Button onClick={more}>{t.search.more}</Button>
        </p>
      )}
    </section>
  );
}

function Hit({ hit: { message, conversation, highlights } }: { hit: SearchHit }) {
  const { t, locale } = useI18n();
  const id = useId();
  const at = new Date(message.createdAt);
  const place = highlights.length > 0 ? `?m=${message.id}` : '';
  return (
    <Link
      href={`/conversas/${conversation.id}${place}`}
      aria-labelledby={`${id}name`}
      aria-describedby={`${id}text`}
      data-message-id={message.id}
      className="flex items-start gap-3 px-3.5 py-2.5 hover:bg-surface focus-visible:-outline-offset-2"
    >
      <Avatar id={conversation.contact.id} name={conversation.contact.name} size="small" />
      <span className="min-w-0 flex-1">
        <span className="flex items-baseline justify-between gap-2">
          <span id={`${id}name`} className="truncate font-medium">
            {conversation.contact.name}
          </span>
          <time dateTime={at.toISOString()} className="shrink-0 text-ink-soft text-mini tabular-nums">
            {listTime(locale, at, new Date(), t.list.yesterday)}
          </time>
        </span>
        <span id={`${id}text`} className="wrap-anywhere line-clamp-2 text-ink-soft text-meta">
          {message.kind === 'note' && (
            <Lock aria-label={t.list.note} className="mr-1 inline size-3.5 align-[-2px] text-note-ink" />
          )}
          {snippet(message.body, highlights).map(({ text, marked }, part) =>
            marked ? (
              // biome-ignore lint/suspicious/noArrayIndexKey: parts of one text, in their order
              <mark key={part} className="rounded-sm bg-accent-tint font-medium text-ink">
                {text}
              </mark>
            ) : (
              text
            ),
          )}
        </span>
      </span>
    </Link>
  );
}
