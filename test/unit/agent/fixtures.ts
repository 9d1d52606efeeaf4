import fc from 'fast-check';
import type { Running, RunState, Work } from '../../../lib/agent/work.ts';
import { keyOf } from '../../../lib/agent/work.ts';

export const work = (allocation: string, group = 'g1', groupEpoch = 1): Work => ({
  tenant: 'acme',
  allocation,
  group,
  groupEpoch,
  class: 'normal',
  demand: { processing: 100, memory: 10, storage: 1, network: 1 },
});

export const running = (...entries: readonly [Work, RunState, string?][]): ReadonlyMap<string, Running> =>
  new Map(
    entries.map(([each, state, reason]) => [
      keyOf(each),
      reason === undefined ? { work: each, state } : { work: each, state, reason },
    ]),
  );

/** A few names only, so that generated lists overlap. */
export const anyWork = fc
  .record({
    allocation: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'),
    group: fc.constantFrom('g1', 'g2', 'g3'),
    groupEpoch: fc.integer({ min: 1, max: 3 }),
  })
  .map(({ allocation, group, groupEpoch }) => work(allocation, group, groupEpoch));

const anyState = fc.constantFrom<RunState>('starting', 'running', 'failed', 'stopping');

export const anyRunning = fc
  .uniqueArray(fc.tuple(anyWork, anyState), { selector: ([each]) => keyOf(each) })
  .map((entries) => running(...entries));
