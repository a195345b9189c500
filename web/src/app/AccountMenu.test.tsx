// @vitest-environment jsdom
import { render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Session } from '@/features/entrar/session';
import type { Me } from '@/shared/api/types';
import { Shelf } from '@/shared/lib/shelf';
import { AccountMenu } from './AccountMenu';

const ME = {
  member: { id: 'ana', name: 'Ana Ribeiro', email: 'ana@clinica.test' },
  clinics: [
    { id: 1, name: 'Centro', role: 'agent' },
    { id: 2, name: 'Norte', role: 'agent' },
  ],
} as Me;
const onClinic = vi.fn();
const kept = (clinicId: number) => new Shelf<string>('ana', 'outbox', clinicId, String);

beforeEach(() => {
  onClinic.mockClear();
  // jsdom opens no dialogs
  HTMLDialogElement.prototype.showModal ??= function showModal(this: HTMLDialogElement) {
    this.open = true;
  };
  HTMLDialogElement.prototype.close ??= function close(this: HTMLDialogElement) {
    this.open = false;
  };
  render(<AccountMenu session={new Session()} me={ME} clinic={ME.clinics[0]} onClinic={onClinic} />);
});
afterEach(() => localStorage.clear());

async function choose(clinic: string) {
  await userEvent.click(screen.getByRole('button', { name: /Conta de/ }));
  await userEvent.click(await screen.findByRole('menuitemradio', { name: clinic }));
}

it('another clinic is asked about while this one has something unsent', async () => {
  kept(1).put('key', 'order');
  await choose('Norte');
  expect(screen.getByRole('dialog')).toHaveTextContent('1 envio ainda não saiu deste navegador');
  expect(onClinic).not.toHaveBeenCalled();
  await userEvent.click(screen.getByRole('button', { name: 'Mudar de clínica' }));
  expect(onClinic).toHaveBeenCalledExactlyOnceWith(2);
});

it('is there at once when all was sent, whatever another clinic still has', async () => {
  kept(2).put('key', 'order');
  await choose('Norte');
  expect(onClinic).toHaveBeenCalledExactlyOnceWith(2);
});
