import { expect, test } from '@jest/globals';
import { resourcesOfEach } from '../../../lib/store/fleet/resources.ts';
import type { Store } from '../../../lib/store/store.ts';

test('hundreds of labscapes are listed some at a time, not with a query for each shard of all at once', async () => {
  let now = 0;
  let most = 0;
  const queryAll = async () => {
    now += 1;
    most = Math.max(most, now);
    await new Promise(setImmediate);
    now -= 1;
    return [];
  };
  const ids = Array.from({ length: 200 }, (_, i) => `lab-${i}`);
  const lists = await resourcesOfEach({ queryAll } as unknown as Store, ids);
  expect(lists).toHaveLength(200);
  expect(most).toBeLessThanOrEqual(64);
});
