// @vitest-environment jsdom
import { act, render, screen } from '@testing-library/react';
import { afterEach, expect, it } from 'vitest';
import { errorText } from './catalogue';
import { en } from './en';
import { ptBR } from './pt-BR';
import { restoreLocale, setLocale, useI18n } from './useI18n';

afterEach(() => act(() => setLocale('pt-BR')));

const Probe = () => <p>{useI18n().t.thread.newCount(2)}</p>;

it('changes language without a reload, says it in <html lang>, and remembers it', async () => {
  render(<Probe />);
  expect(screen.getByText('2 mensagens novas')).toBeVisible();
  await act(() => setLocale('en'));
  expect(screen.getByText('2 new messages')).toBeVisible();
  expect(document.documentElement.lang).toBe('en');
  expect(localStorage.getItem('recado.locale')).toBe('en');
  localStorage.setItem('recado.locale', 'pt-BR');
  await act(restoreLocale);
  expect(document.documentElement.lang).toBe('pt-BR');
});

it('ignores a stored language that does not exist', async () => {
  localStorage.setItem('recado.locale', 'toString');
  await restoreLocale();
  expect(document.documentElement.lang).toBe('pt-BR');
});

it('counts as the language does', () => {
  expect(ptBR.status.connections(1)).toBe('1 conexão');
  expect(ptBR.status.connections(1200)).toBe('1.200 conexões');
  expect(en.status.connections(1200)).toBe('1,200 connections');
});

it('says something for every code', () => {
  expect(errorText(ptBR, 'network')).toBe('O servidor não respondeu.');
  expect(errorText(ptBR, 'a_code_of_tomorrow')).toBe('Algo não deu certo.');
  expect(errorText(ptBR, undefined)).toBe('Algo não deu certo.');
});

it('leaves no text of the contract untranslated', () => {
  const leaves = (part: object, path = ''): [string, unknown][] =>
    Object.entries(part).flatMap(([key, value]) =>
      typeof value === 'object'
        ? leaves(value, `${path}${key}.`)
        : [[path + key, value] as [string, unknown]],
    );
  const english = new Map(leaves(en));
  const same = leaves(ptBR).filter(([path, text]) => typeof text === 'string' && text === english.get(path));
  expect(same.map(([path]) => path)).toEqual(['product', 'signIn.email', 'status.webSocket']);
});
