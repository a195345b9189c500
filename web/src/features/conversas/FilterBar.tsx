import { ChevronDown, FilterX } from 'lucide-react';
import type { ReactNode } from 'react';
import { useI18n } from '@/shared/i18n/useI18n';
import { Menu, MenuChoice } from '@/shared/ui/Menu';
import { EVERYTHING, type Filter, isEverything } from './filters';
import { useClinic } from './useClinic';
import { useInbox, useInboxState } from './useInbox';

const CHIP =
  'flex h-7 max-w-32 items-center gap-0.5 rounded-full border border-line px-2 text-mini hover:bg-surface aria-pressed:border-accent aria-pressed:bg-accent-tint aria-pressed:font-medium aria-pressed:text-accent data-on:border-accent data-on:bg-accent-tint data-on:font-medium data-on:text-accent';
const ANY = '';

/** Which conversations the list shows. */
export function FilterBar() {
  const { t } = useI18n();
  const inbox = useInbox();
  const filter = useInboxState(({ state }) => state.filtered?.filter) ?? EVERYTHING;
  const { team } = useClinic();
  const labels = useLabels();
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
      <Choice
        label={t.filters.byLabel}
        value={filter.label ?? ANY}
        choices={[[ANY, t.filters.anyLabel], ...labels.map((label): [string, string] => [label, label])]}
        onChange={(label) => choose({ label })}
      />
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

/** The clinic's, and while it keeps none, those in use. */
function useLabels(): readonly string[] {
  const { labels, freeLabels } = useClinic();
  const rows = useInboxState(({ state }) => state.list.shown);
  if (!freeLabels) return labels.map(({ name }) => name);
  return [...new Set(rows.flatMap((row) => row.labels))].sort();
}

function Choice(props: {
  label: string;
  value: string;
  choices: readonly (readonly [string, string])[];
  onChange: (value: string) => void;
}) {
  const chosen: ReactNode = props.choices.find(([value]) => value === props.value)?.[1] ?? props.value;
  return (
    <Menu
      label={`${props.label}: ${chosen}`}
      side="bottom"
      align="start"
      trigger={
        <span data-on={props.value === ANY ? undefined : ''} className={CHIP}>
          <span className="truncate">{chosen}</span>
          <ChevronDown aria-hidden="true" className="size-3 shrink-0" />
        </span>
      }
    >
      <MenuChoice label={props.label} value={props.value} choices={props.choices} onChange={props.onChange} />
    </Menu>
  );
}
