import { expect, it } from 'vitest';
import { snippet } from './snippet';

const marked = (body: string, ...highlights: [number, number][]) =>
  snippet(
    body,
    highlights.map(([start, end]) => ({ start, end })),
  )
    .map(({ text, marked: is }) => (is ? `[${text}]` : text))
    .join('');

it('marks what was looked for', () => {
  expect(marked('quero remarcar a consulta', [6, 14], [17, 25])).toBe('quero [remarcar] a [consulta]');
  expect(marked('nada', [0, 4])).toBe('[nada]');
  expect(marked('sem nada')).toBe('sem nada');
});

it('counts code points, as the server does', () => {
  expect(marked('🙂🙂 consulta', [3, 11])).toBe('🙂🙂 [consulta]');
});

it('begins near what was looked for, and says that there is more', () => {
  const body = `${'a'.repeat(200)} consulta ${'b'.repeat(200)}`;
  const text = marked(body, [201, 209]);
  expect(text).toMatch(/^…a{23} \[consulta\] b+…$/);
});

it('keeps to its lines and order whatever comes', () => {
  expect(marked('um\ndois', [3, 7], [0, 2], [1, 2])).toBe('[um] [dois]');
});
