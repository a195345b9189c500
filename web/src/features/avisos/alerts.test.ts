// @vitest-environment jsdom
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Alerts, type Written } from './alerts';
import { type AlertSettings, AlertSettingsStore } from './settings';

const shown: { title: string; body: string; tag: string; onclick?: () => void; close: () => void }[] = [];
const play = vi.fn();
const open = vi.fn();
let settings: AlertSettings;
let alerts: Alerts;
let lookedAt: string;

class FakeNotification {
  static permission: NotificationPermission = 'granted';
  close = vi.fn();
  constructor(title: string, { body, tag }: { body: string; tag: string }) {
    shown.push(Object.assign(this, { title, body, tag }));
  }
}

const look = (visible: boolean, focused = visible) => {
  vi.spyOn(document, 'visibilityState', 'get').mockReturnValue(visible ? 'visible' : 'hidden');
  vi.spyOn(document, 'hasFocus').mockReturnValue(focused);
};
let number = 0;
const news = (more: Partial<Written> = {}): Written => ({
  conversationId: 'a',
  messageId: `m${++number}`,
  patient: 'Maria das Dores',
  preview: 'exame deu positivo',
  ofAnother: false,
  ...more,
});

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('Notification', FakeNotification);
  Object.defineProperty(window, 'isSecureContext', { value: true, configurable: true });
  FakeNotification.permission = 'granted';
  shown.length = 0;
  play.mockClear();
  open.mockClear();
  lookedAt = '';
  settings = { sound: true, desktop: true, words: false };
  look(false);
  alerts = new Alerts({
    settings: () => settings,
    words: () => ({ title: 'Nova mensagem · Clínica', anonymous: 'Um paciente escreveu.' }),
    open,
    isLookedAt: (id) => id === lookedAt,
    play,
  });
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
  localStorage.clear();
});

it('says nothing of the patient unless the member wants it', () => {
  alerts.written(news());
  expect(shown).toMatchObject([
    { title: 'Nova mensagem · Clínica', body: 'Um paciente escreveu.', tag: 'a' },
  ]);
  expect(JSON.stringify(shown)).not.toMatch(/Maria|exame/);
  settings = { ...settings, words: true };
  alerts.written(news());
  expect(shown[1]).toMatchObject({ title: 'Maria das Dores', body: 'exame deu positivo' });
});

it('is silent about what the member is looking at, and about a colleague’s conversation', () => {
  look(true);
  lookedAt = 'a';
  alerts.written(news());
  alerts.written(news({ conversationId: 'b', ofAnother: true }));
  expect(play).not.toHaveBeenCalled();
  alerts.written(news({ conversationId: 'b' }));
  expect(play).toHaveBeenCalledOnce();
  expect(shown).toEqual([]);
});

it('a window in the background gets a notification, even if it can be seen', () => {
  look(true, false);
  lookedAt = 'a';
  alerts.written(news());
  expect(shown).toHaveLength(1);
});

it('tells each message once in the browser, and sounds once per breath', () => {
  const same = news();
  alerts.written(same);
  alerts.written(same);
  alerts.written(news());
  expect(shown).toHaveLength(2);
  expect(play).toHaveBeenCalledOnce();
  vi.advanceTimersByTime(2000);
  alerts.written(news());
  expect(play).toHaveBeenCalledTimes(2);
});

it('keeps to what the browser and the member allow', () => {
  FakeNotification.permission = 'denied';
  alerts.written(news());
  FakeNotification.permission = 'granted';
  settings = { sound: false, desktop: false, words: false };
  alerts.written(news());
  expect(shown).toEqual([]);
  expect(play).toHaveBeenCalledOnce();
});

it('a click leads to the conversation', () => {
  vi.spyOn(window, 'focus').mockImplementation(() => undefined);
  alerts.written(news());
  shown[0]?.onclick?.();
  expect(open).toHaveBeenCalledWith('a');
});

it('settings are each member’s own and survive a reload', () => {
  new AlertSettingsStore('ana').change({ sound: false });
  expect(new AlertSettingsStore('ana').getSnapshot()).toMatchObject({ sound: false, words: false });
  expect(new AlertSettingsStore('bia').getSnapshot().sound).toBe(true);
  localStorage.setItem('recado.alerts.ana', 'rubbish');
  expect(new AlertSettingsStore('ana').getSnapshot().sound).toBe(true);
});
