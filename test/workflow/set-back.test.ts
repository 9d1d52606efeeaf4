import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { LEASE_MARGIN_MS } from '../../lib/failover/fencing.ts';
import { beat } from '../../lib/services/health/heartbeat.ts';
import { keys } from '../../lib/store/keys.ts';
import { N } from '../../lib/store/table/attributes.ts';
import { updateInput } from '../../lib/store/table/update.ts';
import { type PhasesRig, startPhases } from './phases-rig.ts';

const LEASE_MS = 6_000;
const HOUR_MS = 3_600_000;

let rig: PhasesRig;
beforeAll(async () => {
  rig = await startPhases();
});
afterAll(() => rig.stop());

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
