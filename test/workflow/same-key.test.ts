import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type AllocationInput, AllocationInput as Input } from '../../lib/schemas/allocation.ts';
import { allocate } from '../../lib/services/placement/allocate.ts';
import type { AllocateRequest } from '../../lib/services/placement/allocation-draft.ts';
import { allocateBatch } from '../../lib/services/placement/batch.ts';
import { putTenant } from '../../lib/services/registry/tenants.ts';
import type { Runtime } from '../../lib/services/runtime.ts';
import { even } from '../api/rig.ts';
import { type PhasesRig, REQUESTER, startPhases } from './phases-rig.ts';

let rig: PhasesRig;
beforeAll(async () => {
  rig = await startPhases();
  await rig.labscape('lab', 2, {});
  await putTenant(rig.warm(), 'acme', { quota: even(1_000), slices: 1 }, REQUESTER);
});
afterAll(() => rig.stop());

/** A warm function that loses each race: somebody holds an item of its transaction whenever it comes. */
const unlucky = (): Runtime => {
  const runtime = rig.warm();
  runtime.store.transact = async () => ({ kind: 'raced' });
  return runtime;
};

const input = (processing: number): AllocationInput => Input.parse({ demand: even(processing) });
const request = (idempotencyKey: string, processing: number): AllocateRequest => ({
  ...{ tenant: 'acme', input: input(processing), idempotencyKey, requester: REQUESTER },
  cleared: async () => {},
});

test('a request that loses every race to itself is told what it made', async () => {
  const made = await allocate(rig.warm(), request('one', 10));
  expect(await allocate(unlucky(), request('one', 10))).toEqual({
    kind: 'existing',
    allocation: expect.objectContaining({ id: made.allocation.id, resource: made.allocation.resource }),
  });
  await expect(allocate(unlucky(), request('one', 11))).rejects.toMatchObject({
    code: 'idempotency-mismatch',
  });
  await expect(allocate(unlucky(), request('two', 10))).rejects.toMatchObject({ code: 'unavailable' });
});

test('and so is a batch', async () => {
  const batch = (key: string, processing: number) => ({
    ...request(key, 1),
    input: { tenant: 'acme', mode: 'gang' as const, items: [input(processing), input(processing)] },
  });
  const made = await allocateBatch(rig.warm(), batch('many', 10));
  const again = await allocateBatch(unlucky(), batch('many', 10));
  expect(again.items.map(({ status, allocation }) => [status, allocation?.id])).toEqual(
    made.items.map(({ allocation }) => [200, allocation?.id]),
  );
  await expect(allocateBatch(unlucky(), batch('many', 11))).rejects.toMatchObject({
    code: 'idempotency-mismatch',
  });
  await expect(allocateBatch(unlucky(), batch('more', 10))).rejects.toMatchObject({ code: 'unavailable' });
});
