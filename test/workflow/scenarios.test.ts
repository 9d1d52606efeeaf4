import { afterEach, describe, expect, test } from '@jest/globals';
import { AllocationInput } from '../../lib/schemas/allocation.ts';
import { allocate } from '../../lib/services/placement/allocate.ts';
import { getAllocation } from '../../lib/services/placement/release.ts';
import { sweep } from '../../lib/services/reconcile.ts';
import { approve } from '../../lib/services/recovery/approval.ts';
import { putTenant } from '../../lib/services/registry/tenants.ts';
import { even, vector } from '../api/rig.ts';
import { BEAT_MS, GONE_MS, type HeardFleet, LEASE_MS, startFleet } from './heard-fleet.ts';
import { REQUESTER } from './phases-rig.ts';

const ALL = ['a', 'b', 'c', 'd'];
const MINUTE_MS = 60_000;
const tenant = 'acme';

let fleet: HeardFleet;
afterEach(() => fleet.rig.stop());

/** So much work in labscape a, more than one of its two resources takes. */
const workInA = async (count: number) => {
  await putTenant(fleet.rig.warm(), tenant, { quota: even(100_000), slices: 1 }, REQUESTER);
  const cleared = async () => {};
  const ids: string[] = [];
  for (let n = 0; n < count; n += 1) {
    const wish = { demand: vector({ processing: 40 }), constraints: { labscapes: ['a'] } };
    const asked = { tenant, input: AllocationInput.parse(wish), idempotencyKey: `k-${n}` };
    const { allocation } = await allocate(fleet.rig.warm(), { ...asked, requester: REQUESTER, cleared });
    ids.push(allocation.id);
  }
  return ids;
};

const homesOf = (ids: readonly string[]) =>
  Promise.all(
    ids.map(async (id) => (await getAllocation(fleet.rig.warm(), { tenant, id })).resource ?? 'nowhere'),
  );

test('a controller that is blind fails nothing over, neither while it is nor when it sees again', async () => {
  fleet = await startFleet(ALL);
  for (let lease = 0; lease < 5; lease += 1) {
    fleet.jumps(LEASE_MS);
    await sweep(fleet.control, 'test');
  }
  expect((await sweep(fleet.control, 'test')).blind).toBe(true);
  await fleet.passes(2 * GONE_MS, ALL);
  fleet.jumps(BEAT_MS);
  await sweep(fleet.control, 'test');
  for (const labscape of ALL) expect(await fleet.statuses(labscape)).toEqual(['healthy', 'healthy']);
  expect(fleet.started()).toEqual([]);
});

test('a resource that flaps is recovered once, then less and less often', async () => {
  const coolDownMs = 5 * MINUTE_MS;
  fleet = await startFleet(['a', 'b'], { coolDownMs });
  const again = async () => {
    await fleet.passes(GONE_MS, ['a', 'b'], ['a-1']);
    const { epoch, attempt, status } = await fleet.rig.resource('a', 'a-1');
    expect(status).toBe('failed');
    await fleet.recover('a', 'a-1');
    const { status: ended, reason } = await fleet.rig.recovery(`a-1-${epoch}-${attempt}`);
    await fleet.passes(2 * GONE_MS, ['a', 'b']);
    expect(await fleet.statuses('a')).toEqual(['healthy', 'healthy']);
    return { ended, reason };
  };
  expect((await again()).ended).toBe('done');
  const damped = await again();
  expect(damped.ended).toBe('refused');
  expect(damped.reason).toContain(`cool-down is ${coolDownMs} ms`);
  // After the cool-down it is recovered once more; then the cool-down is twice as long.
  fleet.jumps(coolDownMs);
  await fleet.passes(GONE_MS, ['a', 'b']);
  expect((await again()).ended).toBe('done');
  fleet.jumps(coolDownMs);
  await fleet.passes(GONE_MS, ['a', 'b']);
  const longer = await again();
  expect(longer.ended).toBe('refused');
  expect(longer.reason).toContain(`cool-down is ${2 * coolDownMs} ms, after 2 recoveries close together`);
});

test('a recovery in which the tables throttle after any number of calls of any phase ends as if they had not', async () => {
  fleet = await startFleet(['a', 'b']);
  const ids = await workInA(6);
  await fleet.passes(GONE_MS, ['a', 'b'], ['a-1']);
  const throttled = new Map<string, number>();
  const passed = await fleet.recover('a', 'a-1', {
    step: async (state, once) => {
      for (let calls = 0; ; calls += 1) {
        fleet.rig.callsLeft = calls;
        try {
          return await once();
        } catch (error) {
          expect(error).toMatchObject({ name: 'Throttled' });
          throttled.set(state, calls + 1);
        } finally {
          fleet.rig.callsLeft = Number.POSITIVE_INFINITY;
        }
      }
    },
  });
  // Each of them was cut off, some of them several times.
  expect([...throttled.keys()]).toEqual(passed);
  expect(Math.max(...throttled.values())).toBeGreaterThan(4);
  expect(await fleet.rig.recovery('a-1-1-1')).toMatchObject({ status: 'done', epoch: 2, pending: [] });
  expect(await fleet.rig.resource('a', 'a-1')).toMatchObject({ epoch: 2, groups: [], recovery: undefined });
  expect(new Set(await homesOf(ids))).toEqual(new Set(['a-2']));
});

describe('an agent that is back in the middle', () => {
  test('of Detect: there is nothing to recover, and nothing was moved', async () => {
    fleet = await startFleet(['a', 'b']);
    const ids = await workInA(4);
    const homes = await homesOf(ids);
    await fleet.passes(GONE_MS, ['a', 'b'], ['a-1']);
    const passed = await fleet.recover('a', 'a-1', {
      step: async (state, once) => {
        if (state === 'Detect') await fleet.beatOf('a', ['a-1']);
        return once();
      },
    });
    expect(passed).toEqual(['Detect']);
    expect(await fleet.rig.resource('a', 'a-1')).toMatchObject({ status: 'healthy', epoch: 1 });
    expect(await homesOf(ids)).toEqual(homes);
  });

  test('of anything behind the fence: it gets no lease, and the work stays where it went', async () => {
    fleet = await startFleet(['a', 'b']);
    const ids = await workInA(4);
    await fleet.passes(GONE_MS, ['a', 'b'], ['a-1']);
    const leases = new Map<string, boolean | undefined>();
    await fleet.recover('a', 'a-1', {
      step: async (state, once) => {
        const answer = await once();
        const { resources } = await fleet.beatOf('a', ['a-1']);
        leases.set(state, resources[0]?.leased);
        return answer;
      },
      from: 'Decide',
    });
    expect(leases.get('Failover')).toBe(false);
    for (const [state, leased] of leases)
      if (state !== 'Decide' && state !== 'Close') expect([state, leased]).toEqual([state, false]);
    expect(await fleet.rig.recovery('a-1-1-1')).toMatchObject({ status: 'done' });
    expect(new Set(await homesOf(ids))).toEqual(new Set(['a-2']));
  });
});

test('an approval that comes after the time for it is refused, and the work stays', async () => {
  fleet = await startFleet(['a', 'b'], { mode: 'ask' });
  await fleet.passes(GONE_MS, ['a', 'b'], ['a-1']);
  const input = { resource: 'a-1', epoch: 1, attempt: 1, trigger: 'detector' } as const;
  expect((await fleet.rig.run(fleet.rig.warm(), 'Decide', input)).proceed).toBe('AwaitApproval');
  await fleet.rig.run(fleet.rig.warm(), 'AwaitApproval', input, { taskToken: 'token' });
  const quote = (await fleet.rig.recovery('a-1-1-1')).waiting?.quote?.hash;
  // Nobody answers: the machine goes on to Compensate.
  await fleet.rig.run(fleet.rig.warm(), 'Compensate', input);
  const late = approve(
    fleet.rig.warm(),
    'a-1-1-1',
    { decision: 'approve', reason: 'sorry', quote },
    REQUESTER,
  );
  await expect(late).rejects.toMatchObject({ code: 'not-in-this-state' });
  expect(await fleet.rig.resource('a', 'a-1')).toMatchObject({
    status: 'failed',
    epoch: 1,
    recovery: undefined,
  });
});

describe('a recovery that asks', () => {
  const input = { resource: 'a-1', epoch: 1, attempt: 1 } as const;
  const asks = async (trigger: 'detector' | 'alarm') => {
    const asked = { ...input, trigger };
    expect((await fleet.rig.run(fleet.rig.warm(), 'Decide', asked)).proceed).toBe('AwaitApproval');
    await fleet.rig.run(fleet.rig.warm(), 'AwaitApproval', asked, { taskToken: 'token' });
    return asked;
  };

  test('about a resource that beats again is not approved any more, and taken back by the sweep', async () => {
    fleet = await startFleet(['a', 'b'], { mode: 'ask' });
    await fleet.passes(GONE_MS, ['a', 'b'], ['a-1']);
    const asked = await asks('detector');
    expect(await sweep(fleet.control, 'test')).toMatchObject({ withdrawn: 0 });
    await fleet.passes(BEAT_MS, ['a', 'b']);
    const quote = (await fleet.rig.recovery('a-1-1-1')).waiting?.quote?.hash;
    const late = { decision: 'approve', reason: 'sorry', quote } as const;
    await expect(approve(fleet.rig.warm(), 'a-1-1-1', late, REQUESTER)).rejects.toMatchObject({
      code: 'not-in-this-state',
      message: expect.stringContaining('beats again'),
    });
    expect(await sweep(fleet.control, 'test')).toMatchObject({ withdrawn: 1 });
    expect(await sweep(fleet.control, 'test')).toMatchObject({ withdrawn: 0 });
    await fleet.rig.run(fleet.rig.warm(), 'Compensate', asked);
    const { status, reason } = await fleet.rig.recovery('a-1-1-1');
    expect([status, reason]).toEqual(['refused', expect.stringContaining('beats again')]);
    await fleet.passes(BEAT_MS, ['a', 'b']);
    expect(await fleet.rig.resource('a', 'a-1')).toMatchObject({ status: 'healthy', epoch: 1 });
  });

  test('because of an alarm of the user’s own is not taken back by heartbeats', async () => {
    fleet = await startFleet(['a', 'b'], { mode: 'ask' });
    await fleet.alarm('a-1');
    await asks('alarm');
    await fleet.passes(3 * BEAT_MS, ['a', 'b']);
    expect(await sweep(fleet.control, 'test')).toMatchObject({ withdrawn: 0 });
    expect((await fleet.rig.recovery('a-1-1-1')).status).toBe('awaiting-approval');
  });
});

describe('an alarm', () => {
  test('that comes twice, or late, starts what nobody recovers yet, and nothing once it is over', async () => {
    fleet = await startFleet(['a', 'b']);
    await fleet.passes(GONE_MS, ['a', 'b'], ['a-1']);
    const input = { epoch: 1, attempt: 1 };
    expect(fleet.started()).toEqual(['a-1']);
    // Before its recovery owns it: the same name, which the machine takes for the same execution.
    expect((await fleet.labscapeAlarm('a')).started).toEqual(['a-1']);
    expect(await fleet.rig.resource('a', 'a-1')).toMatchObject(input);
    await fleet.recover('a', 'a-1', {
      step: async (state, once) => {
        const answer = await once();
        if (state === 'Failover') expect((await fleet.labscapeAlarm('a')).started).toEqual([]);
        return answer;
      },
    });
    expect((await fleet.labscapeAlarm('a')).started).toEqual([]);
    expect(fleet.started()).toEqual(['a-1', 'a-1']);
  });

  test('that is bound to nothing, or comes from a foreign account, or is over, does nothing', async () => {
    fleet = await startFleet(['a', 'b']);
    const before = await fleet.rig.items();
    expect(await fleet.labscapeAlarm('no-such')).toMatchObject({ started: [] });
    expect(await fleet.anyAlarm({ AlarmName: 'unheard-of' })).toMatchObject({ ignored: 'unbound' });
    expect(await fleet.anyAlarm({ AWSAccountId: '1' })).toMatchObject({ ignored: 'foreign-account' });
    expect(await fleet.anyAlarm({ NewStateValue: 'OK' })).toMatchObject({ ignored: 'not-in-alarm' });
    expect(await fleet.rig.items()).toEqual(before);
    expect(fleet.started()).toEqual([]);
  });
});
