// @vitest-environment jsdom
import { act, renderHook } from '@testing-library/react';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { ClinicProfile } from '@/shared/api/types';
import { useClinicForm } from './ClinicForm';

const clinic = (version: number, name: string) =>
  ({ id: 1, version, name, members: [], labels: [], cannedReplies: [] }) as unknown as ClinicProfile;
const problem = (status: number, code: string) =>
  new Response(JSON.stringify({ code, title: code, errors: [] }), { status });

/** Answers of a server, in turn (an error: of the network); which version each save was based on. */
let answers: (Response | Error | Promise<Response>)[];
let expected: number[];
beforeEach(() => {
  answers = [];
  expected = [];
  vi.stubGlobal('fetch', async (request: Request) => {
    expected.push(((await request.json()) as { expectedVersion: number }).expectedVersion);
    const answer = answers.shift();
    if (answer instanceof Error) throw answer;
    return answer;
  });
});
afterEach(() => vi.unstubAllGlobals());

const form = (held: ClinicProfile) => {
  const shown = renderHook(
    (now: ClinicProfile) => useClinicForm({ clinic: now, onClinic: () => undefined }, ({ name }) => name),
    { initialProps: held },
  );
  const type = (name: string) => act(() => shown.result.current.change(name));
  const save = () => act(() => shown.result.current.save({ name: shown.result.current.value }));
  return { ...shown, type, save };
};

it('who saves over a colleague’s change is told first, and then does it', async () => {
  const { result, rerender, type, save } = form(clinic(1, 'Clínica'));
  type('Minha');
  rerender(clinic(2, 'Da colega'));
  answers = [problem(409, 'clinic_changed'), Response.json(clinic(3, 'Minha'))];
  await save();
  expect(result.current.value).toBe('Minha');
  await save();
  expect(expected).toEqual([1, 2]);
  expect(result.current.dirty).toBe(false);
});

it.each([
  ['refused for another reason', problem(400, 'invalid')],
  ['lost', new TypeError('network')],
])('a save that was %s has told nothing of a colleague’s change', async (_, answer) => {
  const { rerender, type, save } = form(clinic(1, 'Clínica'));
  type('Minha');
  rerender(clinic(2, 'Da colega'));
  answers = [answer, problem(409, 'clinic_changed')];
  await save();
  await save();
  expect(expected).toEqual([1, 1]);
});

it('what is typed while a save is on its way stays, to be saved', async () => {
  let give: (response: Response) => void = () => undefined;
  answers = [new Promise((resolve) => (give = resolve)), Response.json(clinic(3, 'Minha clínica'))];
  const { result, type, save } = form(clinic(1, 'Clínica'));
  type('Minha');
  let saved: Promise<void> | undefined;
  act(() => {
    saved = result.current.save({ name: 'Minha' });
  });
  type('Minha clínica');
  give(Response.json(clinic(2, 'Minha')));
  await act(() => saved);
  expect(result.current).toMatchObject({ value: 'Minha clínica', dirty: true });
  await save();
  expect(expected).toEqual([1, 2]);
});
