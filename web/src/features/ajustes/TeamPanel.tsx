import { KeyRound, UserPlus } from 'lucide-react';
import { type FormEvent, useCallback, useEffect, useState } from 'react';
import { asApiError } from '@/shared/api/errors';
import type { MemberDetails, Role } from '@/shared/api/types';
import { errorText } from '@/shared/i18n/catalogue';
import { useI18n } from '@/shared/i18n/useI18n';
import { Avatar } from '@/shared/ui/Avatar';
import { Button } from '@/shared/ui/Button';
import { Confirm, Dialog, DialogButtons } from '@/shared/ui/Dialog';
import { SelectField, TextField } from '@/shared/ui/Field';
import { getMembers, patchMember, postMember, postMemberPassword } from './api';
import type { PanelProps } from './ClinicForm';
import { IconButton } from './IconButton';
import { useSaving } from './useSaving';

interface Secret {
  name: string;
  password: string;
}

/** Who may in: invite, change roles, take access away and give it back, reset a password. */
export function TeamPanel({ clinic, onClinic, ownId }: PanelProps & { ownId: string }) {
  const { t } = useI18n();
  const { members, failed, read } = useMembers(clinic.id, clinic.version);
  const { busy, save } = useSaving();
  const [inviting, setInviting] = useState(false);
  const [resetting, setResetting] = useState<MemberDetails>();
  const [leaving, setLeaving] = useState<MemberDetails>();
  const [secret, setSecret] = useState<Secret>();

  const change = async (member: MemberDetails, changed: { role?: Role; active?: boolean }) => {
    const answer = await save(() => patchMember(clinic.id, member.id, changed), t.settings.saved);
    if (answer) onClinic(answer);
  };
  const reset = async (member: MemberDetails) => {
    setResetting(undefined);
    const answer = await save(() => postMemberPassword(clinic.id, member.id), null);
    if (answer?.temporaryPassword) setSecret({ name: member.name, password: answer.temporaryPassword });
  };
  if (failed) {
    return (
      <p role="alert" className="text-broken text-meta">
        {errorText(t, failed)} <Button onClick={read}>{t.list.retry}</Button>
      </p>
    );
  }
  return (
    <div className="space-y-5">
      <p className="text-ink-soft text-meta">{t.team.lead}</p>
      <ul className="divide-y divide-line rounded-box border border-line bg-raised">
        {members.map((member) => (
          <li key={member.id} className="flex flex-wrap items-center gap-3 px-3 py-2.5">
            <Avatar id={member.id} name={member.name} size="small" />
            <div className={`min-w-0 flex-1 basis-48 ${member.active ? '' : 'text-ink-soft'}`}>
              <p className="truncate font-medium">
                {member.id === ownId ? t.actions.me(member.name) : member.name}
                {!member.active && <span className="ml-2 font-normal text-mini">{t.team.inactive}</span>}
              </p>
              <p className="truncate text-ink-soft text-meta">{member.email}</p>
            </div>
            <select
              aria-label={t.team.roleOf(member.name)}
              value={member.role}
              disabled={busy || !member.active}
              onChange={(event) => void change(member, { role: event.target.value as Role })}
              className="rounded-md border border-line-strong bg-raised px-2 py-1.5 text-meta disabled:text-ink-soft"
            >
              <option value="agent">{t.team.roles.agent}</option>
              <option value="admin">{t.team.roles.admin}</option>
            </select>
            <Button
              disabled={busy}
              aria-label={member.active ? t.team.deactivateOf(member.name) : t.team.activateOf(member.name)}
              onClick={() => (member.active ? setLeaving(member) : void change(member, { active: true }))}
            >
              {member.active ? t.team.deactivate : t.team.activate}
            </Button>
            {member.id === ownId ? (
              <span className="size-10" />
            ) : (
              <IconButton label={t.team.resetOf(member.name)} onClick={() => setResetting(member)}>
                <KeyRound aria-hidden="true" className="size-4" />
              </IconButton>
            )}
          </li>
        ))}
      </ul>
      <Button look="primary" onClick={() => setInviting(true)} className="inline-flex items-center gap-2">
        <UserPlus aria-hidden="true" className="size-4" /> {t.team.invite}
      </Button>
      {inviting && (
        <Invite
          clinicId={clinic.id}
          onClose={() => setInviting(false)}
          onInvited={(answer, name) => {
            setInviting(false);
            onClinic(answer.clinic);
            if (answer.temporaryPassword) setSecret({ name, password: answer.temporaryPassword });
          }}
        />
      )}
      {leaving && (
        <Confirm
          title={t.team.deactivateOf(leaving.name)}
          text={t.team.deactivateText}
          action={t.team.deactivate}
          onClose={() => setLeaving(undefined)}
          onConfirm={() => {
            setLeaving(undefined);
            void change(leaving, { active: false });
          }}
        />
      )}
      {resetting && (
        <Confirm
          title={t.team.resetOf(resetting.name)}
          text={t.team.resetText}
          action={t.team.reset}
          onClose={() => setResetting(undefined)}
          onConfirm={() => void reset(resetting)}
        />
      )}
      {secret && (
        <Dialog title={t.team.secretTitle(secret.name)} onClose={() => setSecret(undefined)}>
          <p className="text-ink-soft">{t.team.secretText}</p>
          <p className="mt-3 select-all rounded-box bg-sunken px-3 py-2 text-center font-mono">
            {secret.password}
          </p>
        </Dialog>
      )}
    </div>
  );
}

/** Read again whenever the clinic has changed: e-mail addresses are for admins, so they do not come with it. */
function useMembers(clinicId: number, version: number) {
  const [members, setMembers] = useState<readonly MemberDetails[]>([]);
  const [failed, setFailed] = useState<string>();
  const read = useCallback(async () => {
    try {
      setMembers(await getMembers(clinicId));
      setFailed(undefined);
    } catch (thrown) {
      setFailed(asApiError(thrown).code);
    }
  }, [clinicId]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new version of the clinic may mean other members
  useEffect(() => void read(), [read, version]);
  return { members, failed, read: () => void read() };
}

function Invite(props: {
  clinicId: number;
  onClose: () => void;
  onInvited: (answer: Awaited<ReturnType<typeof postMember>>, name: string) => void;
}) {
  const { t } = useI18n();
  const { busy, save, fieldError } = useSaving();
  const [name, setName] = useState('');
  const [email, setEmail] = useState('');
  const [role, setRole] = useState<Role>('agent');
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    const answer = await save(() => postMember(props.clinicId, { name, email, role }), null);
    if (answer) props.onInvited(answer, name || email);
  };
  return (
    <Dialog title={t.team.invite} onClose={props.onClose}>
      <form onSubmit={submit} noValidate className="space-y-4">
        <TextField
          label={t.actions.name}
          value={name}
          maxLength={200}
          error={fieldError('name')}
          onChange={(event) => setName(event.target.value)}
        />
        <TextField
          label={t.signIn.email}
          type="email"
          value={email}
          maxLength={320}
          error={fieldError('email')}
          onChange={(event) => setEmail(event.target.value)}
        />
        <SelectField
          label={t.team.role}
          value={role}
          onChange={(event) => setRole(event.target.value as Role)}
        >
          <option value="agent">{t.team.roles.agent}</option>
          <option value="admin">{t.team.roles.admin}</option>
        </SelectField>
        <DialogButtons>
          <Button onClick={props.onClose}>{t.dialog.cancel}</Button>
          <Button type="submit" look="primary" disabled={busy}>
            {t.team.invite}
          </Button>
        </DialogButtons>
      </form>
    </Dialog>
  );
}
