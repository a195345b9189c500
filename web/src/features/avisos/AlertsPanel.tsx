import { useState, useSyncExternalStore } from 'react';
import { useI18n } from '@/shared/i18n/useI18n';
import { Button } from '@/shared/ui/Button';
import { Check } from '@/shared/ui/Field';
import { chime, notificationState } from './alerts';
import type { AlertSettingsStore } from './settings';

/** How this member wants to be told, on this computer. */
export function AlertsPanel({ settings }: { settings: AlertSettingsStore }) {
  const { t } = useI18n();
  const { sound, desktop, words } = useSyncExternalStore(settings.subscribe, settings.getSnapshot);
  const [state, setState] = useState(notificationState);
  const wantDesktop = async (wanted: boolean) => {
    if (wanted && state === 'default') setState(await Notification.requestPermission());
    settings.change({ desktop: wanted && notificationState() === 'granted' });
  };
  const impossible = state === 'impossible' || state === 'denied';
  return (
    <div className="space-y-5">
      <p className="text-ink-soft text-meta">{t.alerts.lead}</p>
      <Check
        label={t.alerts.sound}
        hint={t.alerts.soundHint}
        checked={sound}
        onChange={(event) => settings.change({ sound: event.target.checked })}
      />
      <Button onClick={chime}>{t.alerts.listen}</Button>
      <Check
        label={t.alerts.desktop}
        hint={
          state === 'impossible'
            ? t.alerts.impossible
            : state === 'denied'
              ? t.alerts.denied
              : t.alerts.desktopHint
        }
        checked={desktop && !impossible}
        disabled={impossible}
        onChange={(event) => void wantDesktop(event.target.checked)}
      />
      <Check
        label={t.alerts.words}
        hint={t.alerts.wordsHint}
        checked={words}
        disabled={!desktop || impossible}
        onChange={(event) => settings.change({ words: event.target.checked })}
      />
    </div>
  );
}
