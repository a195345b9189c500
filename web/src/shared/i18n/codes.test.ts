/** The documents' tables of codes against the catalogue: whatever the server may say, the screen has words for it. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { ptBR } from './pt-BR';

const page = (name: string) => readFileSync(new URL(`../../../../${name}`, import.meta.url), 'utf8');

/** Codes in the first column of the table that follows `head`. */
function codesAfter(text: string, head: RegExp): string[] {
  const lines = text.slice(text.search(head)).split('\n');
  const rows = lines.slice(
    2,
    lines.findIndex((line, at) => at > 2 && !line.startsWith('|')),
  );
  return rows.flatMap((row) =>
    [...(row.split('|')[1] ?? '').matchAll(/`([a-z_]+)`/g)].map((found) => found[1] ?? ''),
  );
}

it('has words for every code of docs/events.md', () => {
  const codes = codesAfter(page('docs/events.md'), /^\| code \| HTTP \|/m);
  expect(codes.length).toBeGreaterThan(15);
  expect(codes.filter((code) => !(code in ptBR.errors))).toEqual([]);
});

it('has words for every reason why a reply did not arrive, of docs/channels.md', () => {
  const codes = codesAfter(page('docs/channels.md'), /^\| `failure\.code` \|/m);
  expect(codes).toContain('undelivered');
  expect(codes.sort()).toEqual(Object.keys(ptBR.failures).sort());
});

it('has words for every code of a field, of docs/rest.md', () => {
  const codes = codesAfter(page('docs/rest.md'), /^\| code \| \|/m);
  expect(codes).toContain('in_the_past');
  expect(codes.filter((code) => !(code in ptBR.fields))).toEqual([]);
});
