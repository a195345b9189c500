/** The REST calls of this feature (the OpenAPI document describes them). Each change has a key, so that a repeat counts once. */
import { request } from '@/shared/api/http';
import type { CannedReply, ClinicProfile, Label, OpenHours, Role } from '@/shared/api/types';
import { randomId } from '@/shared/lib/id';

/** A list replaces the whole list, `null` takes away, what is absent stays. */
export interface ClinicChange {
  name?: string;
  labels?: Label[];
  cannedReplies?: CannedReply[];
  waitingLimitMinutes?: number | null;
  hours?: { timeZone: string; weekly: OpenHours[] } | null;
}

/** A member as admins know them. */
export interface MemberDetails {
  id: string;
  name: string;
  email: string;
  role: Role;
  active: boolean;
}

export interface Invitation {
  clinic: ClinicProfile;
  memberId: string;
  /** Shown this once, to be handed over; who serves another clinic keeps their own. */
  temporaryPassword?: string;
}

const keyed = <Body extends object>(body: Body) => ({ ...body, clientKey: randomId() });

export const patchClinic = (clinicId: number, change: ClinicChange, expectedVersion: number) =>
  request<ClinicProfile>(`/api/v1/clinics/${clinicId}`, {
    method: 'PATCH',
    body: keyed({ ...change, expectedVersion }),
  });

export const getMembers = (clinicId: number) =>
  request<MemberDetails[]>(`/api/v1/clinics/${clinicId}/members`);

export const postMember = (clinicId: number, invited: { email: string; name: string; role: Role }) =>
  request<Invitation>(`/api/v1/clinics/${clinicId}/members`, { method: 'POST', body: keyed(invited) });

export const patchMember = (clinicId: number, memberId: string, change: { role?: Role; active?: boolean }) =>
  request<ClinicProfile>(`/api/v1/clinics/${clinicId}/members/${memberId}`, {
    method: 'PATCH',
    body: keyed(change),
  });

export const postMemberPassword = (clinicId: number, memberId: string) =>
  request<{ temporaryPassword?: string }>(`/api/v1/clinics/${clinicId}/members/${memberId}/password`, {
    method: 'POST',
    body: keyed({}),
  });

export const postOwnPassword = (currentPassword: string, newPassword: string) =>
  request<void>('/api/v1/me/password', { method: 'POST', body: keyed({ currentPassword, newPassword }) });
