import type { CannedReply } from '@/shared/api/types';
import { useI18n } from '@/shared/i18n/useI18n';

/** Those whose shortcut, else whose title, begins with what stands after the slash. Undefined: nobody asks for one. */
export function fittingReplies(
  body: string,
  replies: readonly CannedReply[],
): readonly CannedReply[] | undefined {
  const asked = /^\/(\S*)$/.exec(body)?.[1]?.toLocaleLowerCase();
  if (asked === undefined) return undefined;
  const byShortcut = replies.filter(({ shortcut }) => shortcut.toLocaleLowerCase().startsWith(asked));
  const byTitle = replies.filter(
    (reply) => !byShortcut.includes(reply) && reply.title.toLocaleLowerCase().startsWith(asked),
  );
  return [...byShortcut, ...byTitle];
}

/** Above the field; the focus stays in it, and its keys move in here. */
export function CannedReplies(props: {
  id: string;
  replies: readonly CannedReply[];
  active: number;
  onTake: (reply: CannedReply) => void;
}) {
  const { t } = useI18n();
  return (
    <div
      id={props.id}
      role="listbox"
      aria-label={t.composer.canned}
      tabIndex={-1}
      className="absolute inset-x-3 bottom-full z-10 mx-auto mb-1 max-h-72 max-w-4xl overflow-y-auto rounded-box border border-line bg-raised p-1 shadow-float sm:inset-x-4"
    >
      {props.replies.length === 0 && (
        <p className="px-2.5 py-1.5 text-ink-soft text-meta">{t.composer.noCanned}</p>
      )}
      {props.replies.map((reply, place) => (
        <button
          key={reply.shortcut}
          id={`${props.id}${place}`}
          type="button"
          role="option"
          tabIndex={-1}
          aria-selected={place === props.active}
          onClick={() => props.onTake(reply)}
          ref={(element) => {
            if (place === props.active) element?.scrollIntoView({ block: 'nearest' });
          }}
          className="flex w-full items-baseline gap-3 rounded-md px-2.5 py-1.5 text-left text-meta hover:bg-surface aria-selected:bg-sunken"
        >
          <span className="shrink-0 font-medium text-accent">/{reply.shortcut}</span>
          <span className="shrink-0">{reply.title}</span>
          <span className="truncate text-ink-soft">{reply.body}</span>
        </button>
      ))}
    </div>
  );
}
