import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { STARVING_AFTER_MS } from '../../lib/allocation/pending.ts';
import { ProblemError } from '../../lib/errors.ts';
import { AllocationInput } from '../../lib/schemas/allocation.ts';
import { allocate } from '../../lib/services/placement/allocate.ts';
import { getAllocation, release } from '../../lib/services/placement/release.ts';
import { putTenant } from '../../lib/services/registry/tenants.ts';
import { placeWaiting } from '../../lib/services/waiting/pending-queue.ts';
import { even, vector } from '../api/rig.ts';
import { type PhasesRig, REQUESTER, startPhases } from './phases-rig.ts';

let rig: PhasesRig;
beforeAll(async () => {
  rig = await startPhases();
});
afterAll(() => rig.stop());

const tenant = 'acme';
const FILL = 720;

/** The code of the refusal, or where it went. */
const ask = async (key: string, processing: number, onFull: 'refuse' | 'wait' = 'refuse') => {
  const input = AllocationInput.parse({ demand: vector({ processing }), onFull });
  const cleared = async () => {};
  try {
    const asked = { tenant, input, idempotencyKey: key, requester: REQUESTER, cleared };
    return (await allocate(rig.warm(), asked)).allocation;
  } catch (error) {
    if (error instanceof ProblemError) return error.code;
    throw error;
  }
};
const idOf = (allocation: Awaited<ReturnType<typeof ask>>): string => {
  if (typeof allocation === 'string') throw new Error(`was refused: ${allocation}`);
  return allocation.id;
};
const sweep = () => placeWaiting(rig.warm(), 'test');
const free = (id: string) => release(rig.warm(), { tenant, id }, REQUESTER);

test('what starves gets a resource held for it: others are refused, and it is placed when there is room', async () => {
  const [resource = ''] = await rig.labscape('held', 1, {});
  await putTenant(rig.warm(), tenant, { quota: even(10_000), slices: 1 }, REQUESTER);
  const half = idOf(await ask('half', FILL / 2));
  const other = idOf(await ask('other', FILL / 2));
  const large = idOf(await ask('large', FILL, 'wait'));
  expect(await sweep()).toBe(0);
  expect((await rig.resource('held', resource)).reserved).toBeUndefined();
  rig.clock.ms += STARVING_AFTER_MS.normal;
  expect(await sweep()).toBe(0);
  const { group } = await getAllocation(rig.warm(), { tenant, id: large });
  expect((await rig.resource('held', resource)).reserved).toBe(group);
  // Half is free now, and nobody else gets it.
  await free(half);
  expect(await ask('small', 1)).toBe('no-capacity');
  expect((await rig.resource('held', resource)).used).toEqual(vector({ processing: FILL / 2 }));
  await free(other);
  expect(await getAllocation(rig.warm(), { tenant, id: large })).toMatchObject({
    status: 'placed',
    resource,
  });
  expect((await rig.resource('held', resource)).reserved).toBeUndefined();
  await free(large);
});

test('a reservation ends with the wait', async () => {
  const filling = idOf(await ask('filling', FILL));
  const waiting = idOf(await ask('waiting', FILL, 'wait'));
  rig.clock.ms += STARVING_AFTER_MS.normal;
  await sweep();
  expect((await rig.resource('held', 'held-1')).reserved).toBeDefined();
  await free(waiting);
  await sweep();
  expect((await rig.resource('held', 'held-1')).reserved).toBeUndefined();
  await free(filling);
  expect(idOf(await ask('anew', 1))).toBeDefined();
});
