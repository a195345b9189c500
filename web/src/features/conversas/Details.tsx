import { X } from 'lucide-react';
import type { ReactNode } from 'react';
import type { Conversation } from '@/shared/api/types';
import { useI18n } from '@/shared/i18n/useI18n';
import { contactAddress, fullTime } from '@/shared/lib/format';
import { Avatar } from '@/shared/ui/Avatar';
import { channelName } from './channelName';
import { LabelDot } from './LabelDot';
import { useClinic } from './useClinic';

/** Who the patient is and where the conversation stands. */
export function Details({ conversation, onClose }: { conversation: Conversation; onClose: () => void }) {
  const { t, locale } = useI18n();
  const clinic = useClinic();
  const { contact, channel, status, snoozedUntil, assigneeId, labels, waitingSince } = conversation;
  const time = (at: string) => fullTime(locale, new Date(at));
  return (
    <aside
      aria-label={t.details.label}
      className="flex min-h-0 w-full shrink-0 flex-col overflow-y-auto border-line bg-raised p-4 xl:w-76 xl:border-l"
    >
      <div className="flex items-start gap-3">
        <Avatar id={contact.id} name={contact.name} />
        <div className="min-w-0 flex-1">
          <p className="wrap-anywhere font-semibold">{contact.name}</p>
          <p className="wrap-anywhere text-ink-soft text-meta tabular-nums">
            {contactAddress(contact.address)}
          </p>
        </div>
        <button
          type="button"
          aria-label={t.actions.hideDetails}
          title={t.actions.hideDetails}
          onClick={onClose}
          className="-mt-1 -mr-1 grid size-8 shrink-0 place-items-center rounded-full text-ink-soft hover:bg-sunken"
        >
          <X aria-hidden="true" className="size-4.5" />
        </button>
      </div>
      <dl className="mt-5 space-y-4 text-meta">
        <Fact name={t.details.channel}>{channelName(channel.kind)}</Fact>
        <Fact name={t.actions.status}>
          {t.list.status[status]}
          {snoozedUntil && (
            <span className="block text-ink-soft">{t.list.snoozedUntil(time(snoozedUntil))}</span>
          )}
        </Fact>
        <Fact name={t.filters.assignee}>
          {assigneeId ? (clinic.nameOf(assigneeId) ?? '?') : t.actions.nobody}
        </Fact>
        <Fact name={t.actions.labels}>
          {labels.length === 0
            ? t.details.none
            : labels.map((label) => (
                <span key={label} className="flex items-center gap-1.5">
                  <LabelDot colour={clinic.colourOf(label)} /> {label}
                </span>
              ))}
        </Fact>
        <Fact name={t.details.waiting}>
          {waitingSince && status !== 'resolved'
            ? t.details.waitingSince(time(waitingSince))
            : t.details.notWaiting}
        </Fact>
        <Fact name={t.details.since}>{time(conversation.createdAt)}</Fact>
        <Fact name={t.details.written}>
          <span className="tabular-nums">{conversation.inboundCount.toLocaleString(locale)}</span>
        </Fact>
      </dl>
    </aside>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div>
      <dt className="text-ink-soft text-mini">{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
