import { useMemo } from 'react';
import type { CannedReply, ClinicMember, ClinicProfile, Label } from '@/shared/api/types';
import { useInbox, useInboxState } from './useInbox';

export interface ClinicView {
  /** Active colleagues, oneself first. */
  readonly team: readonly ClinicMember[];
  readonly labels: readonly Label[];
  readonly cannedReplies: readonly CannedReply[];
  readonly waitingLimitMinutes: number | undefined;
  /** Of anybody who is or was of the clinic. */
  nameOf(memberId: string): string | undefined;
  colourOf(label: string): string | undefined;
  /** Somebody else who is or was of the clinic has the same name. */
  hasNamesakes(member: { id: string; name: string }): boolean;
  /** Labels may be made up while the clinic keeps no list. */
  readonly freeLabels: boolean;
  readonly isAdmin: boolean;
}

/** What the clinic keeps, as the page needs it; before it has been read, oneself alone. */
export function useClinic(): ClinicView {
  const { member } = useInbox();
  const clinic = useInboxState(({ state }) => state.clinic);
  return useMemo(() => viewOf(clinic, member), [clinic, member]);
}

function viewOf(clinic: ClinicProfile | null, me: { id: string; name: string }): ClinicView {
  const members = clinic?.members ?? [{ id: me.id, name: me.name, role: 'agent', active: true } as const];
  const names = new Map(members.map(({ id, name }) => [id, name]));
  const colours = new Map((clinic?.labels ?? []).map(({ name, colour }) => [name, colour]));
  const active = members.filter((each) => each.active);
  return {
    team: [...active.filter(({ id }) => id === me.id), ...active.filter(({ id }) => id !== me.id)],
    labels: clinic?.labels ?? [],
    cannedReplies: clinic?.cannedReplies ?? [],
    waitingLimitMinutes: clinic?.waitingLimitMinutes,
    nameOf: (id) => names.get(id),
    colourOf: (label) => colours.get(label),
    hasNamesakes: ({ id, name }) => members.some((each) => each.id !== id && each.name === name),
    freeLabels: (clinic?.labels ?? []).length === 0,
    isAdmin: members.find(({ id }) => id === me.id)?.role === 'admin',
  };
}
