import {
  ArrowLeft,
  Bell,
  Cable,
  Clock,
  KeyRound,
  type LucideIcon,
  MessageSquareText,
  Tag,
  Users,
} from 'lucide-react';
import type { ReactNode } from 'react';
import { Link, Redirect } from 'wouter';
import { useI18n } from '@/shared/i18n/useI18n';
import { useMediaQuery } from '@/shared/lib/useMediaQuery';

export type Section = 'avisos' | 'senha' | 'equipe' | 'etiquetas' | 'respostas' | 'clinica' | 'canais';

export interface AjustesPageProps {
  section: string | undefined;
  /** Where there is no rail (phones), the account stands in the header. */
  account: ReactNode;
  panels: Partial<Record<Section, ReactNode>>;
  /** More sections may come when the clinic has been read. */
  waiting: boolean;
}

const ICONS: Record<Section, LucideIcon> = {
  avisos: Bell,
  senha: KeyRound,
  equipe: Users,
  etiquetas: Tag,
  respostas: MessageSquareText,
  clinica: Clock,
  canais: Cable,
};

/** Sections on the left, one of them on the right; on a phone one after the other. */
export function AjustesPage({ section, account, panels, waiting }: AjustesPageProps) {
  const { t } = useI18n();
  const both = useMediaQuery('(min-width: 48rem)');
  const sections = Object.keys(panels) as Section[];
  const chosen = sections.find((each) => each === section);
  if (section !== undefined && !chosen && !waiting) return <Redirect to="/ajustes" replace />;
  const shown = chosen ?? (both ? sections[0] : undefined);
  return (
    <main className="flex min-h-0 min-w-0 flex-1 flex-col bg-surface">
      <header className="flex h-14 shrink-0 items-center gap-3 border-line border-b bg-raised px-3.5">
        {!both && (
          <Link
            href={shown ? '/ajustes' : '/conversas'}
            aria-label={shown ? t.settings.back : t.nav.back}
            className="-ml-1.5 grid size-9 place-items-center rounded-full text-ink-soft hover:bg-sunken"
          >
            <ArrowLeft aria-hidden="true" className="size-5" />
          </Link>
        )}
        <h1 className="flex-1 font-semibold">{t.nav.settings}</h1>
        {account}
      </header>
      <div className="flex min-h-0 flex-1">
        {(both || !shown) && (
          <nav
            aria-label={t.settings.sections}
            className="w-full overflow-y-auto border-line bg-raised p-2 md:w-60 md:border-r"
          >
            <ul>
              {sections.map((each) => {
                const Icon = ICONS[each];
                return (
                  <li key={each}>
                    <Link
                      href={`/ajustes/${each}`}
                      aria-current={each === shown ? 'page' : undefined}
                      className="flex items-center gap-3 rounded-md px-3 py-2 hover:bg-surface aria-[current]:bg-accent-tint aria-[current]:font-medium aria-[current]:text-accent"
                    >
                      <Icon aria-hidden="true" className="size-4.5" />
                      {t.settings.names[each]}
                    </Link>
                  </li>
                );
              })}
            </ul>
          </nav>
        )}
        {shown && (
          <section aria-label={t.settings.names[shown]} className="min-w-0 flex-1 overflow-y-auto p-5 md:p-8">
            <div className="max-w-2xl">
              <h2 className="mb-5 font-semibold text-[18px]">{t.settings.names[shown]}</h2>
              {panels[shown]}
            </div>
          </section>
        )}
      </div>
    </main>
  );
}
