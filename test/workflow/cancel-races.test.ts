import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { beat } from '../../lib/services/health/heartbeat.ts';
import { failResource } from '../../lib/services/recovery/recovery-start.ts';
import { cancelRecovery } from '../../lib/services/recovery/recovery-words.ts';
import { executionName } from '../../lib/services/runtime.ts';
import { type PhasesRig, REQUESTER, startPhases } from './phases-rig.ts';

const TOKEN = 'token';

let rig: PhasesRig;
beforeAll(async () => {
  rig = await startPhases();
});
afterAll(() => rig.stop());

/** A recovery whose fence is about to wait for a lease. */
async function aboutToWait(labscape: string) {
  const [resource = ''] = await rig.labscape(labscape, 2, { fencing: 'lease', leaseMs: 60_000 });
  const entry = { resource, epoch: 1, assignmentRevision: 0, status: 'ok' } as const;
  await beat(rig.warm(), labscape, { agent: 'one', seq: 1, resources: [entry] }, 'test');
  await failResource(rig.warm(), resource, 'test', REQUESTER);
  const input = { resource, epoch: 1, attempt: 1, trigger: 'api' } as const;
  expect((await rig.run(rig.warm(), 'Initiate', input)).proceed).toBe('AwaitFence');
  rig.told.length = 0;
  return {
    wait: (runtime = rig.warm()) => rig.run(runtime, 'AwaitFence', input, { taskToken: TOKEN }),
    cancel: (runtime = rig.warm()) => cancelRecovery(runtime, executionName(input), 'test', REQUESTER),
  };
}

test('a recovery that is called off while its wait begins waits no longer', async () => {
  const { wait, cancel } = await aboutToWait('begins');
  await wait(rig.overtaken('write', () => cancel()));
  expect(rig.told).toEqual([expect.stringMatching(`^fail ${TOKEN} Cancelled`)]);
});

test('and so does one whose wait begins while it is called off', async () => {
  const { wait, cancel } = await aboutToWait('cancelled');
  await cancel(rig.overtaken('transact', () => wait()));
  expect(rig.told).toEqual([expect.stringMatching(`^fail ${TOKEN} Cancelled`)]);
});
