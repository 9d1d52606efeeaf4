import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { LEASE_MARGIN_MS } from '../../lib/failover/fencing.ts';
import { beat } from '../../lib/services/health/heartbeat.ts';
import { approve } from '../../lib/services/recovery/approval.ts';
import { failResource } from '../../lib/services/recovery/recovery-start.ts';
import { editLabscape } from '../../lib/services/registry/labscapes.ts';
import { changeStatus } from '../../lib/services/registry/resources.ts';
import { type ExecutionInput, executionName } from '../../lib/services/runtime.ts';
import { takeoverWrites } from '../../lib/store/recovery/recovery-writes.ts';
import { type PhasesRig, REQUESTER, startPhases } from './phases-rig.ts';

let rig: PhasesRig;
beforeAll(async () => {
  rig = await startPhases();
});
afterAll(() => rig.stop());

const inputOf = (resource: string, trigger: ExecutionInput['trigger'], attempt = 1): ExecutionInput => ({
  ...{ resource, epoch: 1, attempt, trigger },
});

/** The detector's verdict, without the execution that it would start. */
const fall = (resource: string) =>
  changeStatus(
    rig.warm(),
    resource,
    { type: 'resource.failed', to: 'failed', reason: 'silent', failedBy: 'detector', unlocked: true },
    REQUESTER,
  );

describe('a recovery that asks', () => {
  /** Claims the lock of a failed resource, asks, and waits. */
  async function asked(labscape: string) {
    const [resource = ''] = await rig.labscape(labscape, 2, { mode: 'ask' });
    await fall(resource);
    const input = inputOf(resource, 'detector');
    expect((await rig.run(rig.warm(), 'Decide', input)).proceed).toBe('AwaitApproval');
    await rig.run(rig.warm(), 'AwaitApproval', input, { taskToken: `token-${labscape}` });
    return { resource, input, id: executionName(input), at: () => rig.resource(labscape, resource) };
  }

  test('is not fenced by a task of Initiate that comes before anybody answered', async () => {
    const { input, id, at } = await asked('unanswered');
    const [resource, recovery] = [await at(), await rig.recovery(id)];
    for (const runtime of [rig.warm(), rig.warm()])
      await expect(rig.run(runtime, 'Initiate', input)).rejects.toMatchObject({ name: 'Superseded' });
    expect([await at(), await rig.recovery(id)]).toEqual([resource, recovery]);
    expect(resource).toMatchObject({ status: 'failed', epoch: 1, recovery: id });
  });

  test('is not fenced when it was rejected, neither before its end is written nor after', async () => {
    const { input, id, at } = await asked('rejected');
    await approve(rig.warm(), id, { decision: 'reject', reason: 'not now' }, REQUESTER);
    expect(rig.told).toContain('fail token-rejected Rejected');
    // Whoever takes it over, since the one that waited did not hear: it ends, and is not turned away for ever.
    await expect(rig.run(rig.warm(), 'Initiate', input)).rejects.toMatchObject({ name: 'Rejected' });
    expect(await at()).toMatchObject({ status: 'failed', epoch: 1, recovery: id });
    await rig.run(rig.warm(), 'Compensate', input);
    await expect(rig.run(rig.warm(), 'Initiate', input)).rejects.toMatchObject({ name: 'Superseded' });
    expect(await at()).toMatchObject({ status: 'failed', epoch: 1, recovery: undefined, attempt: 2 });
    expect((await rig.recovery(id)).status).toBe('refused');
  });

  test('is fenced by who takes it over, where the approval never reached its execution', async () => {
    const { input, id, at } = await asked('unreached');
    const quote = (await rig.recovery(id)).waiting?.quote?.hash;
    await approve(rig.warm(), id, { decision: 'approve', reason: 'go', quote }, REQUESTER);
    const { store } = rig.warm();
    const taken = await store.transact(takeoverWrites(store, await at(), await rig.recovery(id)));
    expect(taken.kind).toBe('done');
    const next = { ...input, attempt: 2 };
    expect((await rig.run(rig.warm(), 'Detect', next)).proceed).toBe('Initiate');
    await expect(rig.run(rig.warm(), 'Initiate', input)).rejects.toMatchObject({ name: 'Superseded' });
    await rig.run(rig.warm(), 'Initiate', next);
    expect(await at()).toMatchObject({ status: 'recovering', epoch: 2, recovery: id, attempt: 2 });
    expect(await rig.recovery(id)).toMatchObject({ status: 'running', attempt: 2 });
  });

  test('is fenced once it was approved, and once only', async () => {
    const { input, id, at } = await asked('approved');
    const quote = (await rig.recovery(id)).waiting?.quote?.hash;
    await approve(rig.warm(), id, { decision: 'approve', reason: 'go', quote }, REQUESTER);
    const first = await rig.run(rig.warm(), 'Initiate', input);
    expect(first.proceed).toBe('Failover');
    const fenced = await at();
    expect(fenced).toMatchObject({ status: 'recovering', epoch: 2, recovery: id });
    expect((await rig.run(rig.warm(), 'Initiate', input)).proceed).toBe('Failover');
    expect(await at()).toEqual(fenced);
  });
});

test('a fence whose lease ends while it is written waits in the record, the answer and the time, or in none', async () => {
  const leaseMs = 1_000;
  const policy = { mode: 'automatic', leaseMs, beatMs: 200, coolDownMs: 0 };
  const resources = await rig.labscape('lease', 24, policy);
  const seen = new Map<string, number>();
  for (const [index, resource] of resources.entries()) {
    const entry = { resource, epoch: 1, assignmentRevision: 1, status: 'ok' } as const;
    const body = { agent: `agent-${index}`, seq: 1, resources: [entry] };
    const { receivedAt } = await beat(rig.warm(), 'lease', body, 'test');
    // So many looks later the lease has run out: the end falls before, between or after those of Initiate.
    rig.clock.ms = receivedAt + leaseMs + LEASE_MARGIN_MS - index;
    const input = inputOf(resource, 'detector');
    const { proceed, waitSeconds } = await rig.run(rig.warm(), 'Initiate', input);
    const { waiting, nextPhase } = await rig.recovery(executionName(input));
    const waits = proceed === 'AwaitFence';
    expect({ index, proceed, waits: waitSeconds !== undefined, recorded: waiting?.phase }).toEqual({
      ...{ index, proceed: waits ? 'AwaitFence' : 'Failover', waits },
      recorded: waits ? 'AwaitFence' : undefined,
    });
    expect(nextPhase).toBe('Failover');
    if (waits) expect(waitSeconds).toBe(1);
    seen.set(proceed, (seen.get(proceed) ?? 0) + 1);
  }
  expect([...seen.keys()].toSorted()).toEqual(['AwaitFence', 'Failover']);
});

describe('what a warm function saw a moment ago', () => {
  const policy = { mode: 'automatic', coolDownMs: 0, breakerShare: 0.5 };

  test('does not let automation into a maintenance that has begun since', async () => {
    const [resource = ''] = await rig.labscape('repair', 3, policy);
    await fall(resource);
    const warm = rig.warm();
    await warm.fleet.snapshot();
    await editLabscape(rig.warm(), 'repair', { maintenance: true }, 1, REQUESTER);
    expect(await rig.run(warm, 'Decide', inputOf(resource, 'detector'))).toEqual({ proceed: 'End' });
    const recovery = await rig.recovery(`${resource}-1-1`);
    expect([recovery.status, recovery.reason]).toEqual([
      ...['refused', expect.stringContaining('maintenance')],
    ]);
    // A person may, at the next attempt.
    expect(await rig.run(warm, 'Decide', inputOf(resource, 'api', 2))).toMatchObject({ proceed: 'Initiate' });
  });

  test('does not hide an epidemic from the breaker', async () => {
    const [first = '', ...others] = await rig.labscape('epidemic', 4, policy);
    await fall(first);
    const [warm, calm] = [rig.warm(), rig.warm()];
    await Promise.all([warm.fleet.snapshot(), calm.fleet.snapshot()]);
    expect(await rig.run(calm, 'Decide', inputOf(first, 'detector'))).toMatchObject({ proceed: 'Initiate' });
    for (const other of others.slice(0, 2)) await failResource(rig.warm(), other, 'smoke', REQUESTER);
    expect(await rig.run(warm, 'Decide', inputOf(first, 'detector'))).toMatchObject({
      proceed: 'AwaitApproval',
    });
    const recovery = await rig.recovery(`${first}-1-1`);
    expect([recovery.status, recovery.reason]).toEqual([
      ...['awaiting-approval', '3 of 4 resources are down at once: a person decides'],
    ]);
  });
});
