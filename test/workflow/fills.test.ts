import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { reserveShare } from '../../lib/allocation/reserve.ts';
import { sweep } from '../../lib/services/reconcile.ts';
import { editResource, retireResource } from '../../lib/services/registry/resources.ts';
import type { Runtime } from '../../lib/services/runtime.ts';
import { resourcesOf } from '../../lib/store/fleet/resources.ts';
import { StoreUnavailable } from '../../lib/store/table/errors.ts';
import { even } from '../api/rig.ts';
import { type PhasesRig, REQUESTER, startPhases } from './phases-rig.ts';

let rig: PhasesRig;
beforeAll(async () => {
  rig = await startPhases();
});
afterAll(() => rig.stop());

/** A warm function whose store is gone from its write number `after` on. */
const dyingAfter = (after: number): { runtime: Runtime; died: () => boolean } => {
  const runtime = rig.warm();
  const { store } = runtime;
  let writes = 0;
  const gate = <T extends unknown[], R>(write: (...args: T) => Promise<R>) => {
    return async (...args: T): Promise<R> => {
      writes += 1;
      if (writes > after) throw new StoreUnavailable('test: gone');
      return write.apply(store, args);
    };
  };
  store.transact = gate(store.transact);
  store.write = gate(store.write);
  return { runtime, died: () => writes > after };
};

const seen = (labscape: string) => resourcesOf(rig.warm().store, labscape, true);

/** Wherever fills are, they are those that hold for the resources that there are now. */
const expectSafe = async (labscape: string): Promise<void> => {
  const counted = (await seen(labscape)).filter(({ status }) => status !== 'retired');
  const share = reserveShare(counted.map(({ limit }) => limit));
  for (const { id, fill, limit } of counted)
    expect({ id, safe: fill.processing <= limit.processing * share + 1e-6 }).toEqual({ id, safe: true });
};

const endsOf = async (labscape: string): Promise<number[]> =>
  (await seen(labscape)).filter(({ status }) => status !== 'retired').map(({ fill }) => fill.processing);

interface Case {
  readonly name: string;
  readonly change: (runtime: Runtime, id: string) => Promise<unknown>;
  /** With the change, and without. */
  readonly ends: readonly (readonly number[])[];
}

const cases: readonly Case[] = [
  {
    name: 'a resource that grows',
    change: (runtime, id) =>
      editResource(runtime, `${id}-1`, { capacity: even(2_000) }, undefined, REQUESTER),
    ends: [
      [800, 400, 400],
      [533, 533, 533],
    ],
  },
  {
    name: 'a resource that shrinks',
    change: (runtime, id) => editResource(runtime, `${id}-1`, { capacity: even(100) }, undefined, REQUESTER),
    ends: [
      [41, 419, 419],
      [533, 533, 533],
    ],
  },
  {
    name: 'a resource that retires',
    change: async (runtime, id) => {
      const { store } = rig.warm();
      // As a drain leaves it.
      const { updateInput } = await import('../../lib/store/table/update.ts');
      const { keys } = await import('../../lib/store/keys.ts');
      const drained = { status: { S: 'drained' } };
      const key = keys.resource(id, `${id}-1`);
      await store.write(updateInput({ table: store.tables.state, key, set: drained, conditions: [] }));
      return retireResource(runtime, `${id}-1`, 'test', REQUESTER);
    },
    ends: [
      [400, 400],
      [533, 533, 533],
    ],
  },
];

test.each(cases)(
  'fills are safe wherever $name is cut off, and the sweep ends it',
  async ({ change, ends }) => {
    const reached = new Set<string>();
    for (let after = 0; ; after += 1) {
      const id = `half-${cases.findIndex((one) => one.change === change)}-${after}`;
      await rig.labscape(id, 3, { fill: 'n+1' });
      const { runtime, died } = dyingAfter(after);
      await change(runtime, id).catch((error: unknown) => {
        if (!died()) throw error;
      });
      await expectSafe(id);
      await sweep(rig.warm(), 'test');
      const end = await endsOf(id);
      expect(ends).toContainEqual(end);
      reached.add(end.join());
      if (!died()) break;
    }
    expect(reached.size).toBe(2);
  },
);
