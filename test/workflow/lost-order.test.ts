import { afterEach, describe, expect, test } from '@jest/globals';
import { sweep } from '../../lib/services/reconcile.ts';
import { drainResource, failResource } from '../../lib/services/recovery/recovery-start.ts';
import { editLabscape } from '../../lib/services/registry/labscapes.ts';
import type { ExecutionInput } from '../../lib/services/runtime.ts';
import { type HeardFleet, startFleet } from './heard-fleet.ts';
import { REQUESTER } from './phases-rig.ts';

let fleet: HeardFleet;
afterEach(() => fleet.rig.stop());

/** What the next sweep starts, of a state machine that has lost its executions. */
async function startedBySweep(orphaned = true): Promise<ExecutionInput[]> {
  const started: ExecutionInput[] = [];
  const executions: HeardFleet['control']['executions'] = {
    ...fleet.control.executions,
    start: async (input) => {
      started.push(input);
      return 'started';
    },
  };
  await sweep({ ...fleet.control, executions }, 'test', { orphaned });
  return started;
}

describe("a person's fail whose execution died before it wrote anything", () => {
  test('is carried out as the order of a person, also where the labscape only observes', async () => {
    fleet = await startFleet(['a', 'b'], { mode: 'observe' });
    await failResource(fleet.control, 'a-1', 'it burns', REQUESTER);
    const [input, ...more] = await startedBySweep();
    expect(more).toEqual([]);
    expect(input).toEqual({ resource: 'a-1', epoch: 1, attempt: 1, trigger: 'api' });
    const passed = await fleet.recover('a', 'a-1', { trigger: input?.trigger ?? 'reconciler' });
    expect(passed).toContain('Initiate');
  });

  test("is the reconciler's once it was refused", async () => {
    fleet = await startFleet(['a'], { mode: 'observe' });
    await failResource(fleet.control, 'a-1', 'it burns', REQUESTER);
    const input = { resource: 'a-1', epoch: 1, attempt: 1, trigger: 'reconciler' } as const;
    expect(await fleet.rig.run(fleet.rig.warm(), 'Decide', input)).toEqual({ proceed: 'End' });
    fleet.jumps(60_000);
    await fleet.passes(3_000, ['a']);
    expect(await startedBySweep()).toEqual([{ ...input, attempt: 2 }]);
  });
});

describe("a person's drain whose execution died before it wrote anything", () => {
  const drain = () => drainResource(fleet.control, 'a-1', { reason: 'update' }, REQUESTER);
  const input = { resource: 'a-1', epoch: 1, attempt: 1, trigger: 'drain' } as const;
  const record = () => fleet.rig.resource('a', 'a-1');
  const switchTo = async (mode: 'off' | 'automatic') => {
    await editLabscape(fleet.rig.warm(), 'a', { policy: { mode } }, undefined, REQUESTER);
    // Warm functions go by a policy for so long.
    await fleet.passes(6_000, ['a', 'b']);
  };

  test('is carried out all the same, and then is over', async () => {
    fleet = await startFleet(['a', 'b'], { mode: 'observe' });
    await drain();
    expect(await startedBySweep()).toEqual([input]);
    expect(await fleet.recover('a', 'a-1', { trigger: 'drain' })).toContain('Initiate');
    expect(await record()).toMatchObject({ status: 'drained', drainAskedAt: undefined });
    expect(await startedBySweep()).toEqual([]);
  });

  test('is not begun twice: an execution that is merely late gets its time', async () => {
    fleet = await startFleet(['a', 'b']);
    await drain();
    await fleet.passes(29_000, ['a', 'b']);
    expect(await startedBySweep(false)).toEqual([]);
    await fleet.passes(2_000, ['a', 'b']);
    expect(await startedBySweep(false)).toEqual([input]);
  });

  test('is over once the rules have refused it', async () => {
    fleet = await startFleet(['a', 'b']);
    await drain();
    await switchTo('off');
    expect(await fleet.rig.run(fleet.rig.warm(), 'Decide', input)).toEqual({ proceed: 'End' });
    await switchTo('automatic');
    await fleet.passes(60_000, ['a', 'b']);
    expect(await startedBySweep()).toEqual([]);
  });

  test('is nothing that a labscape begins long after, when it is switched on again', async () => {
    fleet = await startFleet(['a', 'b']);
    await drain();
    await switchTo('off');
    await fleet.passes(60_000, ['a', 'b']);
    expect(await startedBySweep(false)).toEqual([]);
    fleet.jumps(3_600_000);
    await switchTo('automatic');
    await fleet.passes(3_000, ['a', 'b']);
    expect(await startedBySweep(false)).toEqual([]);
  });
});
