import { ChevronDown, FilterX } from 'lucide-react';
import { type ReactNode, useMemo } from 'react';
import { useI18n } from '@/shared/i18n/useI18n';
import { Menu, MenuChoice } from '@/shared/ui/Menu';
import { EVERYTHING, type Filter, isEverything } from './filters';
import { useClinic } from './useClinic';
import { useInbox, useInboxState } from './useInbox';

const CHIP =
  'flex h-7 max-w-32 items-center gap-0.5 rounded-full border border-line px-1.5 text-mini hover:bg-surface aria-pressed:border-accent aria-pressed:bg-accent-tint aria-pressed:font-medium aria-pressed:text-accent data-on:border-accent data-on:bg-accent-tint data-on:font-medium data-on:text-accent';
const ANY = '';

/** Which conversations the list shows. */
export function FilterBar() {
  const { t } = useI18n();
  const inbox = useInbox();
  const filter = useInboxState(({ state }) => state.filtered?.filter) ?? EVERYTHING;
  const { team } = useClinic();
  const choose = (change: Partial<Record<keyof Filter, string | boolean>>) => {
    const chosen = Object.entries({ ...filter, ...change }).filter(
      ([, value]) => value !== ANY && value !== false,
    );
    inbox.filterBy(Object.fromEntries(chosen));
  };
  const colleague = (id: string) =>
    id === inbox.member.id ? t.filters.mine : (team.find((member) => member.id === id)?.name ?? id);
  return (
    <div
      role="toolbar"
      aria-label={t.filters.label}
      className="flex flex-wrap gap-1 border-line border-b px-3 py-2"
    >
      <Choice
        label={t.filters.status}
        value={filter.status ?? ANY}
        choices={[[ANY, t.filters.anyStatus], ...(Object.entries(t.filters.statuses) as [string, string][])]}
        onChange={(status) => choose({ status })}
      />
      <Choice
        label={t.filters.assignee}
        value={filter.assigneeId ?? ANY}
        choices={[
          [ANY, t.filters.anyAssignee],
          ['none', t.filters.nobody],
          ...team.map(({ id }): [string, string] => [id, colleague(id)]),
        ]}
        onChange={(assigneeId) => choose({ assigneeId })}
      />
      <Chip label={t.filters.byLabel} chosen={filter.label ?? ANY} any={t.filters.anyLabel}>
        <Labels value={filter.label ?? ANY} onChange={(label) => choose({ label })} />
      </Chip>
      <button
        type="button"
        aria-pressed={filter.unread === true}
        onClick={() => choose({ unread: !filter.unread })}
        className={CHIP}
      >
        {t.filters.unread}
      </button>
      {!isEverything(filter) && (
        <button
          type="button"
          aria-label={t.filters.clear}
          title={t.filters.clear}
          onClick={() => inbox.filterBy()}
          className="grid size-7 place-items-center rounded-full text-ink-soft hover:bg-sunken"
        >
          <FilterX aria-hidden="true" className="size-4" />
        </button>
      )}
    </div>
  );
}

interface ChoiceProps {
  label: string;
  value: string;
  /** Whatever it is, first. */
  choices: readonly (readonly [string, string])[];
  onChange: (value: string) => void;
}

function Choice(props: ChoiceProps) {
  const nameOf = (wanted: string) => props.choices.find(([value]) => value === wanted)?.[1] ?? wanted;
  return (
    <Chip label={props.label} chosen={props.value === ANY ? ANY : nameOf(props.value)} any={nameOf(ANY)}>
      <MenuChoice {...props} />
    </Chip>
  );
}

/** Says what is chosen, and while nothing is, what there is to choose. */
function Chip(props: { label: string; chosen: string; any: string; children: ReactNode }) {
  const { label, chosen, any } = props;
  return (
    <Menu
      label={`${label}: ${chosen || any}`}
      side="bottom"
      align="start"
      trigger={
        <span data-on={chosen === ANY ? undefined : ''} className={CHIP}>
          <span className="truncate">{chosen || label}</span>
          <ChevronDown aria-hidden="true" className="-mr-0.5 size-3 shrink-0" />
        </span>
      }
    >
      {props.children}
    </Menu>
  );
}

/** The clinic's labels, and while it keeps none, those in use: looked through while the menu is open, not for each packet. */
function Labels({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  const { t } = useI18n();
  const { labels, freeLabels } = useClinic();
  const rows = useInboxState(({ state }) => state.list.shown);
  const names = useMemo(
    () =>
      freeLabels ? [...new Set(rows.flatMap((row) => row.labels))].sort() : labels.map(({ name }) => name),
    [freeLabels, rows, labels],
  );
  const choices = [[ANY, t.filters.anyLabel], ...names.map((name) => [name, name] as const)] as const;
  return <MenuChoice label={t.filters.byLabel} value={value} choices={choices} onChange={onChange} />;
}
