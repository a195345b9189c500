import { Component, type ReactNode } from 'react';
import { useI18n } from '@/shared/i18n/useI18n';
import { Button } from '@/shared/ui/Button';
import { Notice } from '@/shared/ui/Notice';

/** A fault of ours, or a part of the page that a newer server no longer has: say so, and offer what helps. */
export class Boundary extends Component<{ children: ReactNode }, { broken: boolean }> {
  override state = { broken: false };

  static getDerivedStateFromError = () => ({ broken: true });

  override render() {
    return this.state.broken ? <Broken /> : this.props.children;
  }
}

function Broken() {
  const { t } = useI18n();
  return (
    <main className="flex-1">
      <Notice
        alert
        title={t.nav.broken}
        text={t.nav.brokenText}
        action={<Button onClick={() => window.location.reload()}>{t.nav.reload}</Button>}
      />
    </main>
  );
}
