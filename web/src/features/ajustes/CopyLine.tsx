import { Check, Copy } from 'lucide-react';
import { useId, useState } from 'react';
import { useI18n } from '@/shared/i18n/useI18n';
import { IconButton } from './IconButton';

/** A text that is pasted elsewhere. On plain http there is no clipboard: then it is selected as soon as it has the focus. */
export function CopyLine({ label, value }: { label: string; value: string }) {
  const { t } = useI18n();
  const id = useId();
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(value);
      setCopied(true);
    } catch {
      setCopied(false); // refused: it can still be selected
    }
  };
  return (
    <div>
      <label htmlFor={id} className="mb-1 block font-medium text-meta">
        {label}
      </label>
      <div className="flex items-center gap-1 rounded-box bg-sunken pr-1">
        <textarea
          id={id}
          readOnly
          rows={1}
          value={value}
          onFocus={(event) => event.target.select()}
          className="field-sizing-content min-w-0 flex-1 resize-none break-all rounded-box bg-transparent py-2.5 pl-3 font-mono text-mini"
        />
        {navigator.clipboard && (
          <IconButton
            label={copied ? t.channels.copied(label) : t.channels.copy(label)}
            onClick={() => void copy()}
          >
            {copied ? (
              <Check aria-hidden="true" className="size-4 text-live" />
            ) : (
              <Copy aria-hidden="true" className="size-4" />
            )}
          </IconButton>
        )}
      </div>
    </div>
  );
}
