import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { holdEndsAt, LEASE_MARGIN_MS } from '../../lib/failover/fencing.ts';
import { AllocationInput } from '../../lib/schemas/allocation.ts';
import { assignmentsOf } from '../../lib/services/agents/assignments.ts';
import { beat } from '../../lib/services/health/heartbeat.ts';
import { allocate } from '../../lib/services/placement/allocate.ts';
import { putTenant } from '../../lib/services/registry/tenants.ts';
import { keys } from '../../lib/store/keys.ts';
import { N, S } from '../../lib/store/table/attributes.ts';
import { updateInput } from '../../lib/store/table/update.ts';
import { even } from '../api/rig.ts';
import { type PhasesRig, REQUESTER, startPhases } from './phases-rig.ts';

const LEASE_MS = 6_000;
const HOUR_MS = 3_600_000;

let rig: PhasesRig;
beforeAll(async () => {
  rig = await startPhases();
});
afterAll(() => rig.stop());

const placed = async (labscape: string) => {
  const tenant = `of-${labscape}`;
  await putTenant(rig.warm(), tenant, { quota: even(1_000), slices: 1 }, REQUESTER);
  const input = AllocationInput.parse({ demand: even(10), constraints: { labscapes: [labscape] } });
  const asked = { tenant, input, idempotencyKey: tenant, requester: REQUESTER };
  return allocate(rig.warm(), { ...asked, cleared: async () => {} });
};

test('a clock that is set back gives no lease to who has not heard of what it lost, until its last one is over', async () => {
  const [resource = ''] = await rig.labscape('lab', 1, { beatMs: 2_000, leaseMs: LEASE_MS });
  const { store } = rig.warm();
  const key = keys.resource('lab', resource);
  const aheadAt = rig.clock.ms + HOUR_MS;
  await store.write(
    updateInput({
      table: store.tables.state,
      key,
      set: { leftAt: N(aheadAt), leftRev: N(9) },
      conditions: [],
    }),
  );
  let seq = 0;
  const leased = async (assignmentRevision: number): Promise<boolean | undefined> => {
    seq += 1;
    const entry = { resource, epoch: 1, assignmentRevision, status: 'ok' } as const;
    const answer = await beat(rig.warm(), 'lab', { agent: 'one', seq, resources: [entry] }, 'test');
    return answer.resources[0]?.leased;
  };
  expect(await leased(8)).toBe(false);
  const foundAt = (await rig.resource('lab', resource)).left?.at ?? 0;
  expect(rig.clock.ms - foundAt).toBeGreaterThanOrEqual(LEASE_MS);
  expect(rig.clock.ms - foundAt).toBeLessThan(LEASE_MS + 1_000);
  rig.clock.ms += LEASE_MS - 1_000;
  expect(await leased(8)).toBe(false);
  expect(await leased(9)).toBe(true);
  expect((await rig.resource('lab', resource)).left?.at).toBe(foundAt);
  rig.clock.ms += 1_000 + LEASE_MARGIN_MS + 1;
  expect(await leased(8)).toBe(true);
});

test.each([
  ['back', HOUR_MS],
  ['forward', -HOUR_MS],
])(
  'a hold whose end lies an hour away because the clock was set %s is over after its time',
  async (way, byMs) => {
    const labscape = `hold-${way}`;
    await rig.labscape(labscape, 1, { beatMs: 2_000, leaseMs: LEASE_MS });
    const { allocation } = await placed(labscape);
    const { store } = rig.warm();
    const holdMs = holdEndsAt(0, LEASE_MS);
    await store.write(
      updateInput({
        table: store.tables.state,
        key: keys.group(allocation.group ?? ''),
        set: { heldUntil: N(rig.clock.ms + byMs), heldBy: S(allocation.resource ?? '') },
        conditions: [],
      }),
    );
    // Asked for again and again, as agents do.
    const query = { after: undefined, waitS: 0, from: undefined };
    const startInMs = async () =>
      (await assignmentsOf(rig.warm(), allocation.resource ?? '', query))?.items[0]?.startInMs;
    expect(await startInMs()).toBe(holdMs);
    rig.clock.ms += holdMs / 2;
    expect(await startInMs()).toBeLessThan(holdMs / 2);
    rig.clock.ms += holdMs / 2;
    expect(await startInMs()).toBe(0);
  },
);
