import { expect, it } from 'vitest';
import {
  clockTime,
  contactAddress,
  dayName,
  fileSize,
  firstName,
  initials,
  listTime,
  sameDay,
} from './format';

const local = (text: string) => new Date(`${text}-03:00`);
const NOW = local('2026-11-23T10:42:00');
const WORDS = { today: 'Hoje', yesterday: 'Ontem' };

it.each([
  ['2026-11-23T00:01:00', '00:01'],
  ['2026-11-22T23:59:00', 'ontem'],
  ['2026-11-19T12:00:00', 'qui.'],
  ['2026-11-12T12:00:00', '12/11'],
  ['2025-11-12T12:00:00', '12/11/2025'],
])('in the list %s is %s', (at, said) => {
  expect(listTime('pt-BR', local(at), NOW, 'ontem')).toBe(said);
});

it.each([
  ['2026-11-23T00:01:00', 'Hoje'],
  ['2026-11-22T23:59:00', 'Ontem'],
  ['2026-11-19T12:00:00', 'quinta-feira, 19 de novembro'],
  ['2025-11-19T12:00:00', 'quarta-feira, 19 de novembro de 2025'],
])('between days %s is %s', (at, said) => {
  expect(dayName('pt-BR', local(at), NOW, WORDS)).toBe(said);
});

it('a day is the computer’s, not UTC’s', () => {
  expect(sameDay(local('2026-11-22T23:59:00'), local('2026-11-23T00:01:00'))).toBe(false);
  expect(sameDay(local('2026-11-23T00:01:00'), local('2026-11-23T23:59:00'))).toBe(true);
  expect(clockTime('en', local('2026-11-23T22:05:00'))).toBe('22:05');
});

it.each([
  ['Maria Aparecida da Silva', 'MS'],
  ['maria', 'M'],
  ['Ícaro', 'Í'],
  ['Ana 🌸', 'A'],
  ['+55 11 90000-0000', '#'],
  ['', '#'],
])('initials of "%s" are %s', (name, said) => {
  expect(initials(name)).toBe(said);
});

it('first names and file sizes', () => {
  expect(firstName('  Maria  da Silva')).toBe('Maria');
  expect(fileSize('pt-BR', 184_320)).toBe('184 kB');
  expect(fileSize('pt-BR', 2_450_000)).toBe('2,5 MB');
  expect(fileSize('pt-BR', 1)).toBe('1 byte');
});

it.each([
  ['5511988887777', '+55 11 98888-7777'],
  ['+551133334444', '+55 11 3333-4444'],
  ['15551234567', '15551234567'],
  ['maria@example.com', 'maria@example.com'],
])('the address %s is written %s', (address, said) => {
  expect(contactAddress(address)).toBe(said);
});
