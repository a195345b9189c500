// @vitest-environment jsdom
import { act, fireEvent, render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { RealtimeConnection } from '@/realtime/connection';
import { FakeSocket } from '@/realtime/fakeSocket';
import { Shelf } from '@/shared/lib/shelf';
import { Composer } from './Composer';
import { Drafts, readDraft } from './drafts';
import { ANA } from './fixtures';
import { Inbox } from './inbox';
import { isMessage } from './orders';
import { InboxContext } from './useInbox';

let inbox: Inbox;
beforeEach(() => {
  const socket = new FakeSocket();
  const connection = new RealtimeConnection({ clinicId: 1, createSocket: socket.asSocket });
  connection.start();
  socket.comes('connect');
  inbox = new Inbox({ clinicId: 1, member: ANA, connection, onUnauthenticated: () => undefined });
});
afterEach(() => {
  inbox.stop();
  localStorage.clear();
});

const show = (conversationId = 'a') =>
  render(
    <InboxContext value={inbox}>
      <Composer key={conversationId} conversationId={conversationId} contactName="Maria" />
    </InboxContext>,
  );
const field = () => screen.getByRole<HTMLTextAreaElement>('textbox', { name: 'Mensagem' });
const outgoing = () =>
  inbox.outbox
    .getSnapshot()
    .filter(isMessage)
    .map(({ body, kind }) => ({ body, kind }));

it('Enter sends, and the field is empty and ready', async () => {
  show();
  await userEvent.type(field(), 'Bom dia{Enter}');
  expect(outgoing()).toEqual([{ body: 'Bom dia', kind: 'message' }]);
  expect(field()).toHaveValue('');
  expect(field()).toHaveFocus();
});

it('Shift+Enter breaks the line', async () => {
  show();
  await userEvent.type(field(), 'um{Shift>}{Enter}{/Shift}dois');
  expect(field()).toHaveValue('um\ndois');
  expect(outgoing()).toEqual([]);
});

it('the Enter that ends a composed character does not send', () => {
  show();
  fireEvent.change(field(), { target: { value: 'にほん' } });
  fireEvent.keyDown(field(), { key: 'Enter', isComposing: true });
  expect(outgoing()).toEqual([]);
});

it('nothing but spaces is not sent', async () => {
  show();
  await userEvent.type(field(), '   {Enter}');
  expect(screen.getByRole('button', { name: 'Enviar' })).toBeDisabled();
  expect(outgoing()).toEqual([]);
});

it('a note is chosen by mouse or arrow key, and sent as one', async () => {
  show();
  await userEvent.click(screen.getByRole('tab', { name: 'Nota interna' }));
  await userEvent.type(field(), 'só nós');
  await userEvent.click(screen.getByRole('button', { name: 'Enviar' }));
  expect(outgoing()).toEqual([{ body: 'só nós', kind: 'note' }]);
  screen.getByRole('tab', { name: 'Nota interna' }).focus();
  await userEvent.keyboard('{ArrowLeft}');
  expect(screen.getByRole('tab', { name: 'Responder' })).toHaveAttribute('aria-selected', 'true');
  expect(screen.getByRole('tab', { name: 'Responder' })).toHaveFocus();
});

it('each conversation keeps its own draft', async () => {
  const first = show('a');
  await userEvent.type(field(), 'rascunho de a');
  first.unmount();
  const second = show('b');
  expect(field()).toHaveValue('');
  second.unmount();
  show('a');
  expect(field()).toHaveValue('rascunho de a');
});

/** Another tab of the same browser does something to the storage; this one is told. */
function elsewhere(work: (drafts: Drafts) => void) {
  work(new Drafts(new Shelf(ANA.id, 'draft', 1, readDraft)));
  const key = 'recado.private/ana/draft/1/a';
  const newValue = localStorage.getItem(key);
  act(() => void window.dispatchEvent(new StorageEvent('storage', { key, newValue })));
}

it('what another tab has typed or sent of this draft, this one shows', async () => {
  show();
  await userEvent.type(field(), 'Bom');
  elsewhere((drafts) => drafts.set('a', { body: 'Bom dia', kind: 'message' }));
  expect(field()).toHaveValue('Bom dia');
  elsewhere((drafts) => drafts.set('a', { body: '', kind: 'message' }));
  expect(field()).toHaveValue('');
});
