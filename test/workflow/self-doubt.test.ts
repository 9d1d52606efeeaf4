import { afterEach, describe, expect, test } from '@jest/globals';
import type { Recovery } from '../../lib/schemas/recovery.ts';
import { sweep } from '../../lib/services/reconcile.ts';
import { confirmOverride, proposeOverride } from '../../lib/services/recovery/overrides.ts';
import { failResource } from '../../lib/services/recovery/recovery-start.ts';
import { changeStatus } from '../../lib/services/registry/resources.ts';
import type { ExecutionInput } from '../../lib/services/runtime.ts';
import { readinessRows } from '../../lib/store/fleet/readiness.ts';
import { BEAT_MS, GONE_MS, type HeardFleet, LEASE_MS, startFleet } from './heard-fleet.ts';
import { REQUESTER } from './phases-rig.ts';

let fleet: HeardFleet;
afterEach(() => fleet.rig.stop());

const MINUTE_MS = 60_000;
const ALL = ['a', 'b', 'c', 'd'];

const decideOn = (resource: string, trigger: ExecutionInput['trigger'], attempt = 1) =>
  fleet.rig.run(fleet.rig.warm(), 'Decide', { resource, epoch: 1, attempt, trigger });

const expectHeld = async (recovery: Recovery['id'], why: string) => {
  const { status, reason, moves } = await fleet.rig.recovery(recovery);
  expect([status, moves]).toEqual(['refused', []]);
  expect(reason).toContain(`self-doubt: ${why}`);
};

describe('while most labscapes are silent at once', () => {
  test('no verdict falls and nothing starts; all are as they were when they are heard again', async () => {
    fleet = await startFleet(ALL);
    await fleet.passes(GONE_MS, ['d']);
    await sweep(fleet.control, 'test');
    for (const labscape of ['a', 'b', 'c'])
      expect(await fleet.statuses(labscape)).toEqual(['suspect', 'suspect']);
    await fleet.passes(2 * GONE_MS, ALL);
    await sweep(fleet.control, 'test');
    for (const labscape of ALL) expect(await fleet.statuses(labscape)).toEqual(['healthy', 'healthy']);
    expect(fleet.started()).toEqual([]);
  });

  test('failover is not ready there, for which one late beat of all is not enough', async () => {
    fleet = await startFleet(ALL);
    const frozen = async () => {
      await sweep(fleet.control, 'test');
      const { rows } = await readinessRows(fleet.control.store, 'a');
      expect(rows).toHaveLength(2);
      return rows.map(({ reasons }) => reasons.some(({ code }) => code === 'frozen'));
    };
    await fleet.passes(2 * BEAT_MS, ['d']);
    expect(await frozen()).toEqual([false, false]);
    await fleet.passes(BEAT_MS, ['d']);
    expect(await frozen()).toEqual([true, true]);
  });

  test('a recovery that an alarm started is held, and goes on after a fresh grace', async () => {
    fleet = await startFleet(ALL);
    await fleet.passes(GONE_MS, ['d']);
    expect((await fleet.alarm('a-1')).started).toEqual(['a-1']);
    expect(await decideOn('a-1', 'alarm')).toEqual({ proceed: 'End' });
    await expectHeld('a-1-1-1', 'most labscapes fell silent at once');
    expect(await fleet.rig.resource('a', 'a-1')).toMatchObject({ status: 'failed', epoch: 1 });
    // They are heard again: in their fresh grace it is held, and afterwards the sweep starts it anew.
    await fleet.passes(BEAT_MS, ALL);
    expect(await decideOn('a-1', 'reconciler', 2)).toEqual({ proceed: 'End' });
    await expectHeld('a-1-1-2', 'I hear again only now');
    await fleet.passes(GONE_MS, ALL);
    await sweep(fleet.control, 'test');
    expect(fleet.started()).toEqual(['a-1', 'a-1']);
    expect(await decideOn('a-1', 'reconciler', 3)).toMatchObject({ proceed: 'Initiate' });
  });

  test('one that had come to Decide by then is held, and its resource comes back by itself', async () => {
    fleet = await startFleet(ALL);
    await fleet.passes(LEASE_MS, ['d']);
    const fallen = { type: 'resource.failed', to: 'failed', failedBy: 'detector', unlocked: true } as const;
    await changeStatus(fleet.control, 'a-1', { ...fallen, reason: 'silent' }, REQUESTER);
    await fleet.passes(BEAT_MS, ['d']);
    expect(await decideOn('a-1', 'detector')).toEqual({ proceed: 'End' });
    await expectHeld('a-1-1-1', 'most labscapes fell silent at once');
    await fleet.passes(2 * GONE_MS, ALL);
    expect(await fleet.statuses('a')).toEqual(['healthy', 'healthy']);
    fleet.jumps(MINUTE_MS);
    await fleet.passes(BEAT_MS, ALL);
    await sweep(fleet.control, 'test');
    expect(fleet.started()).toEqual([]);
  });

  test('a person may say that it is no line: by an override of two, or by failing it', async () => {
    fleet = await startFleet(ALL);
    await fleet.passes(GONE_MS, ['d']);
    await fleet.alarm('a-1');
    const wish = { rule: 'self-doubt', reason: 'the site burns', expiresInMs: MINUTE_MS } as const;
    const { id } = await proposeOverride(fleet.rig.warm(), 'a', wish, REQUESTER);
    const second = { ...REQUESTER, actor: 'person:second' };
    await confirmOverride(fleet.rig.warm(), 'a', id, 'I see it, too', second);
    // All of it is silent, and hardly anybody sees it: then a person is asked.
    expect(await decideOn('a-1', 'alarm')).toMatchObject({ proceed: 'AwaitApproval' });
    await failResource(fleet.control, 'b-1', 'the site burns', REQUESTER);
    expect(await decideOn('b-1', 'api')).toMatchObject({ proceed: 'Initiate' });
  });
});

test('a verdict that fell before most of a lease of silence is no part of it', async () => {
  fleet = await startFleet(['a', 'b']);
  await fleet.passes(GONE_MS, ['a', 'b'], ['a-1']);
  expect(fleet.started()).toEqual(['a-1']);
  // A hiccup of the controller, between the verdict and the decision.
  fleet.jumps(LEASE_MS);
  await fleet.beatOf('b', ['b-1']);
  await fleet.beatOf('a', ['a-2']);
  expect(await decideOn('a-1', 'detector')).toMatchObject({ proceed: 'Initiate' });
});

test('while nobody at all is heard an alarm starts nothing, and with it everybody gets a fresh grace', async () => {
  fleet = await startFleet(['a', 'b']);
  fleet.rig.clock.ms += 10 * LEASE_MS;
  expect((await sweep(fleet.control, 'test')).blind).toBe(true);
  await fleet.alarm('a-1');
  expect(await decideOn('a-1', 'alarm')).toEqual({ proceed: 'End' });
  await expectHeld('a-1-1-1', 'nobody at all is heard');
  // Only b is back so far: what is known of a is as old as that.
  await fleet.passes(BEAT_MS, ['b']);
  expect(await decideOn('a-1', 'reconciler', 2)).toEqual({ proceed: 'End' });
  await expectHeld('a-1-1-2', 'I hear again only now');
  expect(await fleet.statuses('a')).toEqual(['failed', 'healthy']);
});

describe('a whole labscape that is silent', () => {
  const decisionOn = async (resource: string) => {
    expect(fleet.started()).toContain(resource);
    const { proceed } = await decideOn(resource, 'detector');
    return proceed;
  };

  test('asks for approval where fewer than three others are heard', async () => {
    fleet = await startFleet(['a', 'b', 'c']);
    await fleet.passes(GONE_MS, ['b', 'c']);
    expect(await decisionOn('a-1')).toBe('AwaitApproval');
    const { reason, waiting } = await fleet.rig.recovery('a-1-1-1');
    expect(reason).toContain('all of the labscape is silent, and 2 others are heard');
    expect(waiting?.phase).toBe('AwaitApproval');
  });

  test('is ordinary where three others are', async () => {
    fleet = await startFleet(ALL);
    await fleet.passes(GONE_MS, ['b', 'c', 'd']);
    expect(fleet.started().toSorted()).toEqual(['a-1', 'a-2']);
    expect(await decisionOn('a-1')).toBe('Initiate');
  });

  test('is more than one of its resources: one alone does not ask', async () => {
    fleet = await startFleet(['a', 'b']);
    await fleet.passes(GONE_MS, ['a', 'b'], ['a-1']);
    expect(await decisionOn('a-1')).toBe('Initiate');
  });
});
