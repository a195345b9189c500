import { expect, it } from 'vitest';
import { isNewer } from './newVersion';

it.each([
  ['0.1.1', '0.1.0', true],
  ['0.2.0', '0.1.9', true],
  ['1.0.0', '0.9.9', true],
  ['0.10.0', '0.9.0', true],
  ['0.1.0', '0.1.0', false],
  ['0.1.0', '0.2.0', false],
  ['0.2.0.dev1', '0.1.0', true],
  ['', '0.1.0', false],
  ['of tomorrow', '0.1.0', false],
])('%s is newer than %s: %s', (server, page, newer) => {
  expect(isNewer(server, page)).toBe(newer);
});
