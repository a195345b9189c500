/** What has happened reaches the member: screen readers by the announcer, absent eyes by alerts, refusals by a toast. */
import { useEffect } from 'react';
import { useLocation } from 'wouter';
import { Alerts } from '@/features/avisos/alerts';
import { errorText } from '@/shared/i18n/catalogue';
import { useI18n } from '@/shared/i18n/useI18n';
import type { Parts } from './parts';

export function useTellings({ inbox, announcer, toasts, alertSettings }: Parts, clinicName: string) {
  const { t } = useI18n();
  const [, navigate] = useLocation();

  useEffect(
    () =>
      inbox.onNews(({ conversation: { contact } }) =>
        announcer.news(contact.name, (names) =>
          names.length === 1 ? t.thread.newFrom(contact.name) : t.thread.newCount(names.length),
        ),
      ),
    [announcer, inbox, t],
  );

  useEffect(() => {
    const alerts = new Alerts({
      settings: alertSettings.getSnapshot,
      words: () => ({ title: t.alerts.title(clinicName), anonymous: t.alerts.anonymous }),
      open: (id) => navigate(`/conversas/${id}`),
      isLookedAt: (id) => window.location.pathname === `/conversas/${id}`,
    });
    const forget = inbox.onNews(({ conversation }) => {
      const { id, contact, assigneeId, lastMessage } = conversation;
      if (!lastMessage) return;
      alerts.written({
        conversationId: id,
        messageId: lastMessage.id,
        patient: contact.name,
        preview: lastMessage.preview,
        ofAnother: assigneeId !== undefined && assigneeId !== inbox.member.id,
      });
    });
    return () => {
      forget();
      alerts.stop();
    };
  }, [inbox, alertSettings, clinicName, navigate, t]);

  useEffect(
    () =>
      inbox.onRefused(({ type }, code) =>
        toasts.show('broken', t.actions.refused(t.actions.what[type], errorText(t, code))),
      ),
    [inbox, toasts, t],
  );
}
