import { afterEach, describe, expect, test } from '@jest/globals';
import { sweep } from '../../lib/services/reconcile.ts';
import { failResource } from '../../lib/services/recovery/recovery-start.ts';
import type { ExecutionInput } from '../../lib/services/runtime.ts';
import { type HeardFleet, startFleet } from './heard-fleet.ts';
import { REQUESTER } from './phases-rig.ts';

let fleet: HeardFleet;
afterEach(() => fleet.rig.stop());

/** What the next sweep starts, of a state machine that has lost its executions. */
async function startedBySweep(): Promise<ExecutionInput[]> {
  const started: ExecutionInput[] = [];
  const executions: HeardFleet['control']['executions'] = {
    ...fleet.control.executions,
    start: async (input) => {
      started.push(input);
      return 'started';
    },
  };
  await sweep({ ...fleet.control, executions }, 'test', { orphaned: true });
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
