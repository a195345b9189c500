// @vitest-environment jsdom
import { render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { afterEach, expect, it, vi } from 'vitest';
import { LoginPage } from './LoginPage';
import { Session } from './session';

const problem = (status: number, code: string, headers: Record<string, string> = {}) =>
  new Response(JSON.stringify({ type: 'about:blank', title: code, status, code }), { status, headers });

/** Stands where the network would be. */
function serverAnswers(...answers: (Response | Error)[]) {
  const asked: Request[] = [];
  vi.stubGlobal('fetch', async (request: Request) => {
    asked.push(request);
    const answer = answers.shift();
    if (!answer || answer instanceof Error) throw answer ?? new TypeError('Failed to fetch');
    return answer;
  });
  return asked;
}
afterEach(() => vi.unstubAllGlobals());

async function signIn(session = new Session()) {
  render(<LoginPage session={session} ended={false} />);
  await userEvent.type(screen.getByLabelText('E-mail'), ' ana@clinica.test ');
  await userEvent.type(screen.getByLabelText('Senha'), 'segredo');
  await userEvent.click(screen.getByRole('button', { name: 'Entrar' }));
  return session;
}

it('signs in by the cookie: the answer’s token is kept nowhere', async () => {
  const me = {
    token: 'o-segredo-do-token',
    expiresAt: '2026-11-24T00:00:00Z',
    member: { id: 'ana', name: 'Ana', email: 'ana@clinica.test' },
    clinics: [{ id: 1, name: 'Clínica', role: 'admin' }],
  };
  const asked = serverAnswers(new Response(JSON.stringify(me)));
  const session = await signIn();
  expect(asked[0]?.url).toBe(`${location.origin}/api/v1/auth/login`);
  expect(await asked[0]?.json()).toEqual({ email: 'ana@clinica.test', password: 'segredo' });
  expect(session.getSnapshot()).toMatchObject({ phase: 'signedIn', me: { member: { id: 'ana' } } });
  expect(JSON.stringify(session.getSnapshot())).not.toContain(me.token);
  expect(JSON.stringify({ ...localStorage, ...sessionStorage })).not.toContain(me.token);
});

it.each([
  ['wrong credentials', problem(401, 'invalid_credentials'), 'E-mail ou senha não conferem.'],
  [
    'too many attempts',
    problem(429, 'rate_limited', { 'retry-after': '30' }),
    'Muitas tentativas. Tente de novo em 30 segundos.',
  ],
  ['a server that is away', new TypeError('Failed to fetch'), 'O servidor não respondeu.'],
  ['a proxy’s page', new Response('<html>', { status: 502 }), 'O servidor está indisponível no momento.'],
])('%s: says so in words', async (_, answer, words) => {
  serverAnswers(answer);
  await signIn();
  expect(await screen.findByRole('alert')).toHaveTextContent(words);
  expect(screen.getByRole('button', { name: 'Entrar' })).toBeEnabled();
});

it('asks for what is missing without asking the server', async () => {
  const asked = serverAnswers();
  render(<LoginPage session={new Session()} ended={false} />);
  await userEvent.click(screen.getByRole('button', { name: 'Entrar' }));
  expect(screen.getByRole('alert')).toHaveTextContent('Preencha o e-mail e a senha.');
  expect(screen.getByLabelText('E-mail')).toHaveFocus();
  expect(asked).toEqual([]);
});

it('says that a session has ended', () => {
  render(<LoginPage session={new Session()} ended />);
  expect(screen.getByRole('alert')).toHaveTextContent('Sua sessão terminou.');
});
