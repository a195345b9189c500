import { useCallback, useEffect, useState } from 'react';
import { asApiError } from '@/shared/api/errors';
import type { Channel } from '@/shared/api/types';
import { getChannels } from './api';

const AGAIN_MS = 15_000;

/** The clinic's channels; undefined until they are read. Read again now and then, for the times of what came and went. */
export function useChannels(clinicId: number) {
  const [channels, setChannels] = useState<readonly Channel[]>();
  const [failed, setFailed] = useState<string>();
  const read = useCallback(async () => {
    try {
      setChannels(await getChannels(clinicId));
      setFailed(undefined);
    } catch (thrown) {
      setFailed(asApiError(thrown).code);
    }
  }, [clinicId]);
  useEffect(() => {
    void read();
    const timer = setInterval(() => document.visibilityState === 'visible' && void read(), AGAIN_MS);
    return () => clearInterval(timer);
  }, [read]);
  return { channels, failed, read: () => void read() };
}
