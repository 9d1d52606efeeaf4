import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { sweep } from '../../lib/services/reconcile.ts';
import { approve } from '../../lib/services/recovery/approval.ts';
import { failTogether } from '../../lib/services/recovery/fail-together.ts';
import { drainResource, failResource } from '../../lib/services/recovery/recovery-start.ts';
import { editLabscape } from '../../lib/services/registry/labscapes.ts';
import { changeStatus } from '../../lib/services/registry/resources.ts';
import { BEAT_MS, GONE_MS, type HeardFleet, startFleet } from './heard-fleet.ts';
import { REQUESTER } from './phases-rig.ts';

const OTHERS = ['b', 'c'];
const MINUTE_MS = 60_000;
const reason = 'test';

let fleet: HeardFleet;
beforeAll(async () => {
  fleet = await startFleet(['a', ...OTHERS]);
});
afterAll(() => fleet.rig.stop());

const setMode = async (mode: 'off' | 'ask' | 'automatic') => {
  await editLabscape(fleet.rig.warm(), 'a', { policy: { mode } }, undefined, REQUESTER);
  // Warm functions go by a policy for so long.
  await fleet.passes(6 * BEAT_MS, ['a', ...OTHERS]);
};

/** All that is written, but for what agents say, and what is noted of its readiness: that it has none. */
const written = async () => (await fleet.rig.items()).filter((line) => !/"(BEAT|READY)#/.test(line));

describe('a labscape that is switched off', () => {
  test('writes nothing and starts nothing, whatever speaks of it', async () => {
    await setMode('off');
    const before = await written();
    expect(before.length).toBeGreaterThan(4);
    // Its agents are silent, then one says that its resource has failed; others look at it, and the sweep does.
    await fleet.passes(GONE_MS, OTHERS);
    await sweep(fleet.control, 'test');
    await fleet.beatOf('a', ['a-1'], 'failed');
    await fleet.passes(GONE_MS, ['a', ...OTHERS], ['a-1']);
    await sweep(fleet.control, 'test');
    // Alarms: our own, and one that is bound to a resource.
    expect(await fleet.labscapeAlarm('a')).toMatchObject({ ignored: 'mode-off', started: [] });
    expect(await fleet.alarm('a-1')).toMatchObject({ ignored: 'mode-off', started: [] });
    // People, who are told.
    const asked = [
      failResource(fleet.control, 'a-1', reason, REQUESTER),
      drainResource(fleet.control, 'a-1', { reason }, REQUESTER),
      drainResource(fleet.control, 'a-1', { reason, graceMs: 1_000 }, REQUESTER),
      failTogether(fleet.control, 'a', { reason }, REQUESTER),
    ];
    for (const outcome of await Promise.allSettled(asked)) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'not-in-this-state' } });
      expect(String(outcome.status === 'rejected' && outcome.reason)).toContain('is switched off');
    }
    expect(fleet.started()).toEqual([]);
    expect(await written()).toEqual(before);
    // Seen to be able to differ: the same signals, switched on.
    await setMode('automatic');
    await fleet.alarm('a-1');
    expect(fleet.started()).toEqual(['a-1']);
    expect(await written()).not.toEqual(before);
  });

  test('refuses what had started, and starts nothing that is owed', async () => {
    await setMode('automatic');
    const failed = { type: 'resource.failed', to: 'failed', failedBy: 'alarm', unlocked: true } as const;
    const { status } = await fleet.rig.resource('a', 'a-2');
    expect(status).toBe('healthy');
    await changeStatus(fleet.rig.warm(), 'a-2', { ...failed, reason }, REQUESTER);
    await setMode('off');
    const input = { resource: 'a-2', epoch: 1, attempt: 1, trigger: 'api' } as const;
    expect(await fleet.rig.run(fleet.rig.warm(), 'Decide', input)).toEqual({ proceed: 'End' });
    expect((await fleet.rig.recovery('a-2-1-1')).reason).toContain('mode-off: the labscape is switched off');
    const before = fleet.started();
    fleet.jumps(2 * MINUTE_MS);
    await fleet.passes(BEAT_MS, OTHERS);
    await sweep(fleet.control, 'test');
    expect(fleet.started()).toEqual(before);
  });

  test('lets nobody approve what asked before', async () => {
    await setMode('ask');
    const input = { resource: 'a-2', epoch: 1, attempt: 2, trigger: 'reconciler' } as const;
    expect((await fleet.rig.run(fleet.rig.warm(), 'Decide', input)).proceed).toBe('AwaitApproval');
    const quote = (await fleet.rig.recovery('a-2-1-2')).waiting?.quote?.hash;
    await setMode('off');
    const word = { decision: 'approve', reason, quote } as const;
    await expect(approve(fleet.rig.warm(), 'a-2-1-2', word, REQUESTER)).rejects.toMatchObject({
      code: 'not-in-this-state',
    });
    const rejected = await approve(fleet.rig.warm(), 'a-2-1-2', { ...word, decision: 'reject' }, REQUESTER);
    expect(rejected.status).toBe('awaiting-approval');
  });
});
