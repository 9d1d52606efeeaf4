import { expect, test } from '@jest/globals';
import { renderRestored } from '../../../infra/local/restore/render.ts';

const DONE = { events: 1, items: 2, units: 3, refused: [] };

test('a restore says that it was checked and nothing is wrong, what is, or nothing where it was not', () => {
  const good = 'Read back and checked (chains, fold, sums, limits, quotas): nothing is wrong';
  expect(renderRestored(DONE, [], 1_000).split('\n')).toEqual([
    'Restored in 1.0 s: 1 events, 2 items, 3 units',
    good,
  ]);
  expect(renderRestored(DONE, ['resource a: too much'], 1_000)).toMatch(/Faults:\n {2}resource a: too much$/);
  expect(renderRestored(DONE, undefined, 1_000)).not.toContain('checked');
});
