import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { RecoveryPlanInput } from '../../lib/schemas/recovery-plan.ts';
import { putPlan } from '../../lib/services/plans/plans.ts';
import { answerRun, beginRun, cancelRun } from '../../lib/services/plans/runs.ts';
import { confirmOverride, proposeOverride } from '../../lib/services/recovery/overrides.ts';
import { drainResource, failResource } from '../../lib/services/recovery/recovery-start.ts';
import { cancelRecovery } from '../../lib/services/recovery/recovery-words.ts';
import { editLabscape } from '../../lib/services/registry/labscapes.ts';
import { editResource } from '../../lib/services/registry/resources.ts';
import { executionName, type Runtime } from '../../lib/services/runtime.ts';
import { type PhasesRig, REQUESTER, startPhases } from './phases-rig.ts';

/** As many as a crowd of clients on one resource may well win in a row. */
const LOST = 10;

let rig: PhasesRig;
beforeAll(async () => {
  rig = await startPhases();
});
afterAll(() => rig.stop());

/** A warm function whose first transactions come while somebody holds one of their items. */
const late = (lost = LOST): Runtime => {
  const runtime = rig.warm();
  const transact = runtime.store.transact.bind(runtime.store);
  let left = lost;
  runtime.store.transact = async (writes) => {
    left -= 1;
    return left >= 0 ? { kind: 'raced' } : transact(writes);
  };
  return runtime;
};

const second = { ...REQUESTER, actor: 'second' };

describe('a word that loses to a crowd of other writers is tried again', () => {
  test('drains and fails a resource', async () => {
    const [first = '', other = ''] = await rig.labscape('taken-out', 3, {});
    rig.meetings = 7;
    await drainResource(rig.warm(), first, { reason: 'test' }, REQUESTER);
    expect((await rig.resource('taken-out', first)).drainAskedAt).toBeDefined();
    await failResource(late(), other, 'test', REQUESTER);
    expect((await rig.resource('taken-out', other)).status).toBe('failed');
  });

  test('edits a resource and a labscape, on the configuration that was seen', async () => {
    const [first = ''] = await rig.labscape('edited', 1, {});
    const edited = await editResource(late(), first, { labels: { rack: '7' } }, 1, REQUESTER);
    expect(edited).toMatchObject({ cfg: 2, labels: { rack: '7' } });
    expect((await rig.resource('edited', first)).labels).toEqual({ rack: '7' });
    const policy = { mode: 'observe' } as const;
    expect((await editLabscape(late(), 'edited', { policy }, 1, REQUESTER)).policy.mode).toBe('observe');
  });

  test('but not on one that was overtaken', async () => {
    const [first = ''] = await rig.labscape('overtaken', 1, {});
    const runtime = rig.overtaken('transact', () =>
      editResource(rig.warm(), first, { labels: { by: 'another' } }, 1, REQUESTER),
    );
    await expect(editResource(runtime, first, { labels: { by: 'me' } }, 1, REQUESTER)).rejects.toMatchObject({
      code: 'stale-precondition',
    });
    expect((await rig.resource('overtaken', first)).labels).toEqual({ by: 'another' });
  });

  test('fences, and takes the fence back', async () => {
    const [first = ''] = await rig.labscape('fenced', 2, {});
    await failResource(rig.warm(), first, 'test', REQUESTER);
    const input = { resource: first, epoch: 1, attempt: 1, trigger: 'api' } as const;
    expect((await rig.run(late(), 'Initiate', input)).proceed).toBe('Failover');
    expect((await rig.resource('fenced', first)).epoch).toBe(2);
    const id = executionName(input);
    expect((await cancelRecovery(late(), id, 'test', REQUESTER)).cancel).toContain('test');
    await rig.run(late(), 'Compensate', input);
    expect((await rig.recovery(id)).status).toBe('cancelled');
  });

  test('confirms an override', async () => {
    await rig.labscape('overridden', 1, {});
    const wish = { rule: 'cool-down', reason: 'test', expiresInMs: 60_000 } as const;
    const { id } = await proposeOverride(rig.warm(), 'overridden', wish, REQUESTER);
    expect(await confirmOverride(late(), 'overridden', id, 'test', second)).toMatchObject({ counts: true });
  });

  test('writes a plan, approves its run and calls it off', async () => {
    const resources = await rig.labscape('planned', 2, {});
    const input = RecoveryPlanInput.parse({ steps: [{ how: 'drain', resources, approval: true }] });
    expect((await putPlan(late(), 'plan', input, undefined, REQUESTER)).plan.cfg).toBe(1);
    const begun = await beginRun(rig.warm(), 'plan', { reason: 'test', dryRun: false }, REQUESTER);
    if (!('run' in begun)) throw new Error('only quoted');
    expect(begun.run.status).toBe('pausing');
    const of = { plan: 'plan', id: begun.run.id };
    expect((await cancelRun(late(), of, 'test', REQUESTER)).status).toBe('cancelled');
    await expect(
      answerRun(late(), of, { decision: 'approve', reason: 'test' }, REQUESTER),
    ).rejects.toMatchObject({ code: 'not-in-this-state' });
  });

  test('but not for ever', async () => {
    const [first = ''] = await rig.labscape('crowded', 1, {});
    const never = late(Number.POSITIVE_INFINITY);
    await expect(failResource(never, first, 'test', REQUESTER)).rejects.toMatchObject({
      code: 'unavailable',
    });
    rig.meetings = Number.POSITIVE_INFINITY;
    const drained = drainResource(rig.warm(), first, { reason: 'test' }, REQUESTER);
    await expect(drained).rejects.toMatchObject({ name: 'Throttled' });
    rig.meetings = 0;
    const { status, drainAskedAt } = await rig.resource('crowded', first);
    expect({ status, drainAskedAt }).toEqual({ status: 'healthy', drainAskedAt: undefined });
  });
});
