import { useCallback, useEffect, useRef, useState } from 'react';
import { asApiError } from '@/shared/api/errors';
import type { SearchHit } from '@/shared/api/types';
import { useInbox } from './useInbox';

const TYPED_MS = 200;

export interface SearchState {
  readonly phase: 'idle' | 'searching' | 'found' | 'failed';
  /** What the hits were asked with: while one types, the words of before. */
  readonly words: string;
  readonly hits: readonly SearchHit[];
  readonly before: string | null;
  readonly code?: string;
}

const IDLE: SearchState = { phase: 'idle', words: '', hits: [], before: null };

/** Asks a moment after the last key. Results are what was there when asked; they do not follow live changes. */
export function useSearch(query: string): SearchState & { more: () => void; again: () => void } {
  const { api, clinicId } = useInbox();
  const [state, setState] = useState(IDLE);
  const [page, setPage] = useState<{ words: string; before: string | null }>();
  const lastPage = useRef(page);
  const words = query.trim();
  useEffect(() => {
    // a page is asked for once: the same words, searched again, begin at their first
    const asked = page !== lastPage.current && page?.words === words ? page.before : null;
    lastPage.current = page;
    if (!words) return setState(IDLE);
    const stop = new AbortController();
    const ask = async () => {
      setState((now) => ({ ...now, phase: 'searching' }));
      try {
        const found = await api.getSearch(clinicId, words, asked, stop.signal);
        if (stop.signal.aborted) return;
        setState((now) => ({
          phase: 'found',
          words,
          hits: asked === null ? found.items : [...now.hits, ...found.items],
          before: found.before,
        }));
      } catch (thrown) {
        if (!stop.signal.aborted)
          setState((now) => ({ ...now, phase: 'failed', code: asApiError(thrown).code }));
      }
    };
    const timer = setTimeout(() => void ask(), asked === null ? TYPED_MS : 0);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [api, clinicId, words, page]);
  const more = useCallback(
    () => setPage({ words: state.words, before: state.before }),
    [state.words, state.before],
  );
  const again = useCallback(() => setPage({ words, before: null }), [words]);
  return { ...state, more, again };
}
