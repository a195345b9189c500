import { LogOut, Settings } from 'lucide-react';
import { useState } from 'react';
import { useLocation } from 'wouter';
import type { Session } from '@/features/entrar/session';
import type { Clinic, Me } from '@/shared/api/types';
import { LOCALES, type Locale } from '@/shared/i18n/catalogue';
import { setLocale, useI18n } from '@/shared/i18n/useI18n';
import { countKept } from '@/shared/lib/shelf';
import { Avatar } from '@/shared/ui/Avatar';
import { Confirm } from '@/shared/ui/Dialog';
import { Menu, MenuChoice, MenuHeading, MenuItem, MenuLine } from '@/shared/ui/Menu';

interface AccountMenuProps {
  session: Session;
  me: Me;
  clinic: Clinic | undefined;
  onClinic: (id: number) => void;
}

/** Who I am, in which clinic, in which language; and out. */
export function AccountMenu({ session, me, clinic, onClinic }: AccountMenuProps) {
  const { t, locale } = useI18n();
  const [, navigate] = useLocation();
  const [unsent, setUnsent] = useState(0);
  const [next, setNext] = useState<{ clinicId: number; unsent: number }>();
  const change = (clinicId: number) => {
    const kept = clinic && clinic.id !== clinicId ? countKept(me.member.id, 'outbox', clinic.id) : 0;
    if (kept > 0) setNext({ clinicId, unsent: kept });
    else onClinic(clinicId);
  };
  const leave = () => {
    const kept = countKept(me.member.id, 'outbox');
    if (kept > 0) setUnsent(kept);
    else void session.signOut();
  };
  return (
    <>
      <Menu
        label={t.nav.account(me.member.name)}
        side="right"
        trigger={<Avatar id={me.member.id} name={me.member.name} size="small" />}
      >
        <MenuHeading name={me.member.name} text={me.member.email} />
        <MenuLine />
        {clinic && me.clinics.length > 1 && (
          <MenuChoice
            label={t.nav.clinic}
            value={String(clinic.id)}
            choices={me.clinics.map(({ id, name }) => [String(id), name] as const)}
            onChange={(id) => change(Number(id))}
          />
        )}
        <MenuChoice
          label={t.nav.language}
          value={locale}
          choices={Object.entries(LOCALES) as [Locale, string][]}
          onChange={(chosen) => void setLocale(chosen)}
        />
        <MenuLine />
        <MenuItem icon={<Settings className="size-4" />} onClick={() => navigate('/ajustes')}>
          {t.nav.settings}
        </MenuItem>
        <MenuItem icon={<LogOut className="size-4" />} onClick={leave}>
          {t.nav.signOut}
        </MenuItem>
      </Menu>
      {next && (
        <Confirm
          title={t.otherClinic.title}
          text={t.otherClinic.text(next.unsent)}
          action={t.otherClinic.action}
          onConfirm={() => onClinic(next.clinicId)}
          onClose={() => setNext(undefined)}
        />
      )}
      {unsent > 0 && (
        <Confirm
          title={t.leave.title}
          text={t.leave.text(unsent)}
          action={t.leave.action}
          onConfirm={() => void session.signOut()}
          onClose={() => setUnsent(0)}
        />
      )}
    </>
  );
}
