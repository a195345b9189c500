import { useState } from 'react';
import { type ApiError, asApiError } from '@/shared/api/errors';
import { errorText, fieldText } from '@/shared/i18n/catalogue';
import { useI18n } from '@/shared/i18n/useI18n';
import { useToasts } from '@/shared/ui/useToasts';

/** Saving a form: whether it runs, what is wrong with which field, and words when it is done or was refused. */
export function useSaving() {
  const { t } = useI18n();
  const toasts = useToasts();
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError>();
  const save = async <Answer>(
    work: () => Promise<Answer>,
    done: string | null,
  ): Promise<Answer | undefined> => {
    setBusy(true);
    setError(undefined);
    try {
      const answer = await work();
      if (done) toasts.show('live', done);
      return answer;
    } catch (thrown) {
      const refused = asApiError(thrown);
      setError(refused);
      if (refused.fields.length === 0) toasts.show('broken', errorText(t, refused.code));
      return undefined;
    } finally {
      setBusy(false);
    }
  };
  const fieldError = (path: string) => {
    const found = error?.fields.find((field) => field.path === path);
    return found && fieldText(t, found.code);
  };
  /** Fields that no input shows: said together at the end. */
  const otherErrors = (shown: (path: string) => boolean) =>
    (error?.fields ?? []).filter(({ path }) => !shown(path)).map(({ code }) => fieldText(t, code));
  return { busy, save, fieldError, otherErrors };
}
