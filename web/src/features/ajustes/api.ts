/** The REST calls of this feature (the OpenAPI document describes them). Each change has a key, so that a repeat counts once. */
import { answerOf, api } from '@/shared/api/client';
import type { ChannelChange, ClinicChange, NewChannel, Role } from '@/shared/api/types';
import { randomId } from '@/shared/lib/id';

const keyed = <Body extends object>(body: Body) => ({ ...body, clientKey: randomId() });

/** Of an order that says no more than its address. */
const key = () => ({ 'Idempotency-Key': randomId() });

/** A list replaces the whole list, `null` takes away, what is absent stays. */
export const patchClinic = (clinicId: number, change: ClinicChange, expectedVersion: number) =>
  answerOf(
    api.PATCH('/api/v1/clinics/{clinicId}', {
      params: { path: { clinicId } },
      body: keyed({ ...change, expectedVersion }),
    }),
  );

export const getMembers = (clinicId: number) =>
  answerOf(api.GET('/api/v1/clinics/{clinicId}/members', { params: { path: { clinicId } } }));

export const postMember = (clinicId: number, invited: { email: string; name: string; role: Role }) =>
  answerOf(
    api.POST('/api/v1/clinics/{clinicId}/members', { params: { path: { clinicId } }, body: keyed(invited) }),
  );

export const patchMember = (clinicId: number, memberId: string, change: { role?: Role; active?: boolean }) =>
  answerOf(
    api.PATCH('/api/v1/clinics/{clinicId}/members/{memberId}', {
      params: { path: { clinicId, memberId } },
      body: keyed(change),
    }),
  );

export const postMemberPassword = (clinicId: number, memberId: string) =>
  answerOf(
    api.POST('/api/v1/clinics/{clinicId}/members/{memberId}/password', {
      params: { path: { clinicId, memberId }, header: key() },
    }),
  );

export const postOwnPassword = (currentPassword: string, newPassword: string) =>
  answerOf(api.POST('/api/v1/me/password', { body: keyed({ currentPassword, newPassword }) }));

export const getChannels = (clinicId: number) =>
  answerOf(api.GET('/api/v1/clinics/{clinicId}/channels', { params: { path: { clinicId } } }));

export const getChannelSecrets = (clinicId: number, channelId: string) =>
  answerOf(
    api.GET('/api/v1/clinics/{clinicId}/channels/{channelId}/secrets', {
      params: { path: { clinicId, channelId } },
    }),
  );

export const postChannel = (clinicId: number, channel: NewChannel) =>
  answerOf(
    api.POST('/api/v1/clinics/{clinicId}/channels', { params: { path: { clinicId } }, body: keyed(channel) }),
  );

export const patchChannel = (clinicId: number, channelId: string, change: ChannelChange) =>
  answerOf(
    api.PATCH('/api/v1/clinics/{clinicId}/channels/{channelId}', {
      params: { path: { clinicId, channelId } },
      body: keyed(change),
    }),
  );

export const postChannelSecret = (clinicId: number, channelId: string) =>
  answerOf(
    api.POST('/api/v1/clinics/{clinicId}/channels/{channelId}/secret', {
      params: { path: { clinicId, channelId }, header: key() },
    }),
  );
