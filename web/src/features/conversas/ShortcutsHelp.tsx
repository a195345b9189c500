import { useState } from 'react';
import { useI18n } from '@/shared/i18n/useI18n';
import { useShortcut } from '@/shared/lib/useShortcut';
import { Dialog } from '@/shared/ui/Dialog';

/** `?` shows what every key does. */
export function ShortcutsHelp() {
  const { t } = useI18n();
  const [open, setOpen] = useState(false);
  useShortcut(['?'], () => setOpen(true));
  if (!open) return null;
  const keys: [keys: string[], does: string][] = [
    [['j', 'k'], t.shortcuts.move],
    [['Enter'], t.shortcuts.open],
    [['r'], t.shortcuts.reply],
    [['n'], t.shortcuts.note],
    [['e'], t.shortcuts.resolve],
    [['a'], t.shortcuts.assign],
    [['l'], t.shortcuts.labels],
    [['s'], t.shortcuts.snooze],
    [['u'], t.shortcuts.unread],
    [['/'], t.shortcuts.search],
    [['Esc'], t.shortcuts.back],
    [['?'], t.shortcuts.help],
  ];
  return (
    <Dialog title={t.shortcuts.title} onClose={() => setOpen(false)}>
      <dl className="grid grid-cols-[auto_1fr] items-baseline gap-x-4 gap-y-2 text-meta">
        {keys.map(([names, does]) => (
          <div key={does} className="contents">
            <dt className="flex gap-1">
              {names.map((name) => (
                <kbd
                  key={name}
                  className="min-w-7 rounded border border-line-strong px-1.5 text-center font-sans"
                >
                  {name}
                </kbd>
              ))}
            </dt>
            <dd>{does}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
