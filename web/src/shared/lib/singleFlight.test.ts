import { expect, it } from 'vitest';
import { singleFlight } from './singleFlight';

it('calls that come while it runs are answered by one more run', async () => {
  const finish: (() => void)[] = [];
  const run = singleFlight(() => new Promise<void>((resolve) => finish.push(resolve)));
  const first = run();
  run();
  run();
  expect(finish).toHaveLength(1);
  finish[0]?.();
  await Promise.resolve();
  expect(finish).toHaveLength(2);
  finish[1]?.();
  await first;
  expect(finish).toHaveLength(2);
});

it('after a failure it can run again', async () => {
  let fail = true;
  const run = singleFlight(async () => {
    if (fail) throw new Error('uma vez');
  });
  await expect(run()).rejects.toThrow('uma vez');
  fail = false;
  await expect(run()).resolves.toBeUndefined();
});
