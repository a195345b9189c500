import { LogOut } from 'lucide-react';
import type { Session } from '@/features/entrar/session';
import type { Clinic, Me } from '@/shared/api/types';
import { LOCALES, type Locale } from '@/shared/i18n/catalogue';
import { setLocale, useI18n } from '@/shared/i18n/useI18n';
import { Avatar } from '@/shared/ui/Avatar';
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
  return (
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
          onChange={(id) => onClinic(Number(id))}
        />
      )}
      <MenuChoice
        label={t.nav.language}
        value={locale}
        choices={Object.entries(LOCALES) as [Locale, string][]}
        onChange={(chosen) => void setLocale(chosen)}
      />
      <MenuLine />
      <MenuItem icon={<LogOut className="size-4" />} onClick={() => void session.signOut()}>
        {t.nav.signOut}
      </MenuItem>
    </Menu>
  );
}
