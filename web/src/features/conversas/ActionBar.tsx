import {
  AlarmClock,
  Archive,
  ArchiveRestore,
  ChevronDown,
  CircleDot,
  Clock3,
  EyeOff,
  MoreHorizontal,
  PanelRight,
  Pencil,
  Tag,
  Trash2,
  UserRound,
} from 'lucide-react';
import { type ReactNode, useState } from 'react';
import { useLocation } from 'wouter';
import type { Conversation } from '@/shared/api/types';
import { useI18n } from '@/shared/i18n/useI18n';
import { fullTime } from '@/shared/lib/format';
import { useShortcut } from '@/shared/lib/useShortcut';
import { Avatar } from '@/shared/ui/Avatar';
import { Confirm } from '@/shared/ui/Dialog';
import { Menu, MenuCheck, MenuChoice, MenuItem, MenuLine } from '@/shared/ui/Menu';
import { AskText, AskWhen } from './ask';
import { LabelDot } from './LabelDot';
import { snoozeChoices } from './snooze';
import { useClinic } from './useClinic';
import { useInbox } from './useInbox';

const CHIP =
  'flex h-8 items-center gap-1.5 whitespace-nowrap rounded-full px-2.5 text-meta hover:bg-sunken data-popup-open:bg-sunken';
const NOBODY = '';

type Question = 'snooze' | 'rename' | 'erase' | 'label';

/** What can be done with the conversation, each by mouse and by key, shown at once. */
export function ActionBar(props: { conversation: Conversation; details: boolean; onDetails: () => void }) {
  const { conversation } = props;
  const { t } = useI18n();
  const inbox = useInbox();
  const [, navigate] = useLocation();
  const [question, setQuestion] = useState<Question>();
  const { id, status } = conversation;
  const resolved = status === 'resolved';
  const resolve = () => inbox.change(id, { status: resolved ? 'open' : 'resolved' });
  const markUnread = () => {
    inbox.markUnread(id);
    navigate('/conversas');
  };
  const close = () => setQuestion(undefined);
  useShortcut(['e'], resolve);
  useShortcut(['u'], markUnread);
  return (
    <div
      role="toolbar"
      aria-label={t.actions.label}
      className="flex h-11 shrink-0 items-center gap-0.5 overflow-x-auto border-line border-b bg-raised px-2"
    >
      <Assign conversation={conversation} />
      <Labels conversation={conversation} onNew={() => setQuestion('label')} />
      <Snooze conversation={conversation} onOther={() => setQuestion('snooze')} />
      <span className="flex-1" />
      <button
        type="button"
        onClick={resolve}
        className={`${CHIP} font-medium ${resolved ? 'text-ink' : 'text-accent'}`}
      >
        {resolved ? (
          <ArchiveRestore aria-hidden="true" className="size-4" />
        ) : (
          <Archive aria-hidden="true" className="size-4" />
        )}
        {resolved ? t.actions.reopen : t.actions.resolve}
      </button>
      <Menu
        label={t.actions.more}
        side="bottom"
        className={`${CHIP} px-2`}
        trigger={<MoreHorizontal aria-hidden="true" className="size-4.5" />}
      >
        {(status === 'open' || status === 'snoozed') && (
          <MenuItem
            icon={<Clock3 className="size-4" />}
            onClick={() => inbox.change(id, { status: 'pending' })}
          >
            {t.actions.pending}
          </MenuItem>
        )}
        {status !== 'open' && (
          <MenuItem
            icon={<CircleDot className="size-4" />}
            onClick={() => inbox.change(id, { status: 'open' })}
          >
            {t.actions.open}
          </MenuItem>
        )}
        <MenuItem icon={<EyeOff className="size-4" />} onClick={markUnread}>
          {t.actions.markUnread}
        </MenuItem>
        <MenuItem icon={<Pencil className="size-4" />} onClick={() => setQuestion('rename')}>
          {t.actions.rename}
        </MenuItem>
        <EraseItem onClick={() => setQuestion('erase')} />
      </Menu>
      <button
        type="button"
        aria-pressed={props.details}
        aria-label={props.details ? t.actions.hideDetails : t.actions.details}
        title={props.details ? t.actions.hideDetails : t.actions.details}
        onClick={props.onDetails}
        className={`${CHIP} px-2 aria-pressed:text-accent`}
      >
        <PanelRight aria-hidden="true" className="size-4.5" />
      </button>
      {question === 'snooze' && (
        <AskWhen
          title={t.actions.snoozeUntil}
          onClose={close}
          onAnswer={(when) => inbox.change(id, { status: 'snoozed', snoozedUntil: when.toISOString() })}
        />
      )}
      {question === 'rename' && (
        <AskText
          title={t.actions.rename}
          label={t.actions.name}
          value={conversation.contact.name}
          maxLength={200}
          onClose={close}
          onAnswer={(name) => inbox.rename(id, name)}
        />
      )}
      {question === 'label' && (
        <AskText
          title={t.actions.newLabel}
          label={t.actions.labelName}
          value=""
          maxLength={50}
          onClose={close}
          onAnswer={(label) => inbox.change(id, { labels: [...new Set([...conversation.labels, label])] })}
        />
      )}
      {question === 'erase' && (
        <Confirm
          title={t.actions.eraseTitle}
          text={t.actions.eraseText}
          action={t.actions.eraseAction}
          onClose={close}
          onConfirm={() => {
            close();
            inbox.erase(id);
            navigate('/conversas');
          }}
        />
      )}
    </div>
  );
}

function Assign({ conversation: { id, assigneeId } }: { conversation: Conversation }) {
  const { t } = useI18n();
  const inbox = useInbox();
  const { team, nameOf } = useClinic();
  const [open, setOpen] = useState(false);
  useShortcut(['a'], () => setOpen(true));
  const name = assigneeId && (nameOf(assigneeId) ?? '?');
  return (
    <Menu
      label={name ? t.actions.assignedTo(name) : t.actions.assign}
      side="bottom"
      align="start"
      open={open}
      onOpenChange={setOpen}
      className={CHIP}
      trigger={
        <Chip
          icon={
            name && assigneeId ? (
              <Avatar id={assigneeId} name={name} size="tiny" />
            ) : (
              <UserRound aria-hidden="true" className="size-4" />
            )
          }
          text={name ? name : t.actions.assign}
        />
      }
    >
      <MenuChoice
        label={t.filters.assignee}
        value={assigneeId ?? NOBODY}
        choices={[
          [NOBODY, t.actions.nobody],
          ...team.map((member): [string, string] => [
            member.id,
            member.id === inbox.member.id ? t.actions.me(member.name) : member.name,
          ]),
        ]}
        onChange={(chosen) => inbox.change(id, { assigneeId: chosen === NOBODY ? null : chosen })}
      />
    </Menu>
  );
}

function Labels({ conversation: { id, labels }, onNew }: { conversation: Conversation; onNew: () => void }) {
  const { t } = useI18n();
  const inbox = useInbox();
  const clinic = useClinic();
  const [open, setOpen] = useState(false);
  useShortcut(['l'], () => setOpen(true));
  const offered = [...new Set([...clinic.labels.map(({ name }) => name), ...labels])];
  return (
    <Menu
      label={labels.length > 0 ? `${t.actions.labels}: ${labels.join(', ')}` : t.actions.labels}
      side="bottom"
      align="start"
      open={open}
      onOpenChange={setOpen}
      className={CHIP}
      trigger={
        <Chip
          icon={
            labels.length > 0 ? (
              <span className="flex gap-0.5">
                {labels.slice(0, 4).map((label) => (
                  <LabelDot key={label} colour={clinic.colourOf(label)} />
                ))}
              </span>
            ) : (
              <Tag aria-hidden="true" className="size-4" />
            )
          }
          text={labels.length === 1 ? (labels[0] ?? '') : t.actions.labels}
        />
      }
    >
      {offered.map((label) => (
        <MenuCheck
          key={label}
          checked={labels.includes(label)}
          onChange={(on) =>
            inbox.change(id, { labels: on ? [...labels, label] : labels.filter((each) => each !== label) })
          }
        >
          <LabelDot colour={clinic.colourOf(label)} />
          {label}
        </MenuCheck>
      ))}
      {clinic.freeLabels && offered.length > 0 && <MenuLine />}
      {clinic.freeLabels && <MenuItem onClick={onNew}>{t.actions.newLabel}</MenuItem>}
    </Menu>
  );
}

function Snooze({ conversation, onOther }: { conversation: Conversation; onOther: () => void }) {
  const { t, locale } = useI18n();
  const inbox = useInbox();
  const [open, setOpen] = useState(false);
  useShortcut(['s'], () => setOpen(true), conversation.status !== 'resolved');
  if (conversation.status === 'resolved') return null;
  const words = {
    hour: t.actions.snoozeHour,
    afternoon: t.actions.snoozeAfternoon,
    tomorrow: t.actions.snoozeTomorrow,
    week: t.actions.snoozeWeek,
  };
  return (
    <Menu
      label={t.actions.snooze}
      side="bottom"
      align="start"
      open={open}
      onOpenChange={setOpen}
      className={CHIP}
      trigger={<Chip icon={<AlarmClock aria-hidden="true" className="size-4" />} text={t.actions.snooze} />}
    >
      {open &&
        snoozeChoices(new Date()).map(([choice, when]) => (
          <MenuItem
            key={choice}
            onClick={() =>
              inbox.change(conversation.id, { status: 'snoozed', snoozedUntil: when.toISOString() })
            }
          >
            <span title={fullTime(locale, when)}>{words[choice]}</span>
          </MenuItem>
        ))}
      <MenuItem onClick={onOther}>{t.actions.snoozeOther}</MenuItem>
    </Menu>
  );
}

function EraseItem({ onClick }: { onClick: () => void }) {
  const { t } = useI18n();
  const { isAdmin } = useClinic();
  if (!isAdmin) return null;
  return (
    <>
      <MenuLine />
      <MenuItem icon={<Trash2 className="size-4 text-broken" />} onClick={onClick}>
        {t.actions.erase}
      </MenuItem>
    </>
  );
}

function Chip({ icon, text }: { icon: ReactNode; text: string }) {
  return (
    <>
      {icon}
      <span className="hidden max-w-32 truncate sm:inline">{text}</span>
      <ChevronDown aria-hidden="true" className="size-3 shrink-0 text-ink-soft" />
    </>
  );
}
