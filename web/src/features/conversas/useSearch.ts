import { useCallback, useEffect, useState } from 'react';
import { asApiError } from '@/shared/api/errors';
import type { SearchHit } from '@/shared/api/types';
import { useInbox } from './useInbox';

const TYPED_MS = 200;

export interface SearchState {
  readonly phase: 'idle' | 'searching' | 'found' | 'failed';
  readonly hits: readonly SearchHit[];
  readonly before: string | null;
  readonly code?: string;
}

const IDLE: SearchState = { phase: 'idle', hits: [], before: null };

/** Asks a moment after the last key. Results are what was there when asked; they do not follow live changes. */
export function useSearch(query: string): SearchState & { more: () => void; again: () => void } {
  const { api, clinicId } = useInbox();
  const [state, setState] = useState(IDLE);
  const [page, setPage] = useState<{ query: string; before: string | null; turn: number }>();
  const words = query.trim();
  useEffect(() => {
    if (!words) return setState(IDLE);
    const asked = page?.query === words ? page.before : null;
    const stop = new AbortController();
    const ask = async () => {
      setState((now) => ({ ...now, phase: 'searching' }));
      try {
        const found = await api.getSearch(clinicId, words, asked, stop.signal);
        if (stop.signal.aborted) return;
        setState((now) => ({
          phase: 'found',
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
    () => setPage((former) => ({ query: words, before: state.before, turn: (former?.turn ?? 0) + 1 })),
    [words, state.before],
  );
  const again = useCallback(
    () => setPage((former) => ({ query: words, before: null, turn: (former?.turn ?? 0) + 1 })),
    [words],
  );
  return { ...state, more, again };
}
