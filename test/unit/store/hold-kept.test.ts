import { expect, test } from '@jest/globals';
import { moveWrite } from '../../../lib/store/recovery/flip-writes.ts';
import type { Store } from '../../../lib/store/store.ts';

const even = (each: number) => ({ processing: each, memory: each, storage: each, network: each });
const store = { tables: { state: 'state', audit: 'audit' } } as Store;
const to = {
  ...({ id: 'next', labscape: 'lab', status: 'healthy', cfg: 1, groups: [] } as const),
  ...{ limit: even(9), used: even(0) },
};
const AT = 100;

/** Whether a move at `AT` forgets a hold until `heldUntil` of a group at epoch 3 that was last said to run at `runningEpoch`. */
const forgets = (heldUntil: number, runningEpoch: number | undefined): boolean => {
  const group = {
    ...({ id: 'g', epoch: 3, load: 1, count: 1, class: 'normal', kind: 'k' } as const),
    ...{ constraints: { labels: {} }, demand: even(1), labscape: 'lab', heldUntil, runningEpoch },
  };
  const { Update } = moveWrite(store, 'source', { group, to }, 'recovery', AT).item;
  return Object.values(Update?.ExpressionAttributeNames ?? {}).includes('heldUntil');
};

test.each([
  ['lasts', AT + 1, 3, false],
  ['is over, and the owner has started the group since', AT, 3, true],
  ['is over by the clock alone, which may have been set forward', AT, 2, false],
  ['is over, and nobody knows who started it', AT, undefined, false],
])('a hold that %s', (_, heldUntil, runningEpoch, forgotten) => {
  expect(forgets(heldUntil, runningEpoch)).toBe(forgotten);
});
