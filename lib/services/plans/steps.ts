import { ProblemError } from '../../errors.ts';
import type { PlanStep, StepKind } from '../../schemas/recovery-plan.ts';
import type { ResourceRecord } from '../../store/fleet/resources.ts';
import type { Requester } from '../origin.ts';
import { drainTogether } from '../recovery/drain-together.ts';
import { failTogether } from '../recovery/fail-together.ts';
import { inLanes } from '../recovery/lanes.ts';
import type { Runtime } from '../runtime.ts';
import { wakeFor } from '../waiting/pending-queue.ts';
import { intoService } from '../waiting/take-back.ts';

/** Resources taken back at a time. */
const LANES = 16;

interface About {
  readonly step: PlanStep;
  /** Every resource of the step, those besides that are not asked for now. */
  readonly all: readonly string[];
  readonly reason: string;
}

/** Does to these resources what a step says; how many there was no time for. */
type CarryOut = (
  runtime: Runtime,
  resources: readonly ResourceRecord[],
  about: About,
  requester: Requester,
) => Promise<{ readonly left: number }>;

const fail: CarryOut = async (runtime, resources, { reason }, requester) => {
  let left = 0;
  for (const [labscape, own] of Map.groupBy(resources, (one) => one.labscape)) {
    const named = { reason, resources: own.map(({ id }) => id) };
    left += (await failTogether(runtime, labscape, named, requester)).left;
  }
  return { left };
};

const drain: CarryOut = (runtime, resources, { step, all, reason }, requester) =>
  drainTogether(runtime, resources, { reason, graceMs: step.graceMs, emptied: all }, requester);

/** One that may not come back is seen to be away afterwards. */
const activate: CarryOut = async (runtime, resources, { reason }, requester) => {
  const back = await inLanes(resources, LANES, async ({ id }) => {
    try {
      return [await intoService(runtime, id, reason, requester)];
    } catch (error) {
      if (!(error instanceof ProblemError) || error.code === 'unavailable') throw error;
      return [];
    }
  });
  // One after the other, or they would race for the same groups; what is left is the sweep's.
  for (const resource of back.flat())
    if ((await wakeFor(runtime, resource, requester.request, 'came')) === 0) break;
  return { left: 0 };
};

/** Each look at the step takes home what may go by then. */
const failback: CarryOut = () => Promise.resolve({ left: 0 });

export const CARRIED_OUT: Readonly<Record<StepKind, CarryOut>> = { fail, drain, activate, failback };

/** What the audit calls it. */
export const STARTED_AS: Readonly<Record<StepKind, string>> = {
  fail: 'failed-over',
  drain: 'drained',
  activate: 'activated',
  failback: 'homeward',
};
