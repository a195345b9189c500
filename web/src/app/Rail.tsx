import { MessagesSquare } from 'lucide-react';
import type { ReactNode } from 'react';
import { Link } from 'wouter';
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
      <Link
        href="/conversas"
        aria-label={t.nav.conversations}
        aria-current="page"
        title={t.nav.conversations}
        className="grid size-10 place-items-center rounded-box text-ink-soft hover:bg-sunken aria-[current]:bg-accent-tint aria-[current]:text-accent"
      >
        <MessagesSquare aria-hidden="true" className="size-5" />
      </Link>
      <span className="flex-1" />
      {account}
    </nav>
  );
}
