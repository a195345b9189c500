import { MessagesSquare, Settings } from 'lucide-react';
import type { ReactNode } from 'react';
import { Link, useLocation } from 'wouter';
import { useI18n } from '@/shared/i18n/useI18n';
import { Logo } from '@/shared/ui/Logo';

/** The sections, and who I am. */
export function Rail({ account }: { account: ReactNode }) {
  const { t } = useI18n();
  return (
    <nav
      aria-label={t.nav.main}
      className="flex w-14 shrink-0 flex-col items-center gap-2 border-line border-r bg-raised py-3"
    >
      <Logo className="mb-3 size-8" />
      <Section path="/conversas" name={t.nav.conversations}>
        <MessagesSquare aria-hidden="true" className="size-5" />
      </Section>
      <Section path="/ajustes" name={t.nav.settings}>
        <Settings aria-hidden="true" className="size-5" />
      </Section>
      <span className="flex-1" />
      {account}
    </nav>
  );
}

function Section(props: { path: string; name: string; children: ReactNode }) {
  const [path] = useLocation();
  return (
    <Link
      href={props.path}
      aria-label={props.name}
      aria-current={path.startsWith(props.path) ? 'page' : undefined}
      title={props.name}
      className="grid size-10 place-items-center rounded-box text-ink-soft hover:bg-sunken aria-[current]:bg-accent-tint aria-[current]:text-accent"
    >
      {props.children}
    </Link>
  );
}
