import type { StepTarget } from '../../schemas/recovery-plan.ts';
import { type ResourceRecord, readResource } from '../../store/fleet/resources.ts';
import { inLanes } from '../recovery/lanes.ts';
import { executionName, type Runtime } from '../runtime.ts';

/** Reads of resources and recoveries at a time. */
export const LANES = 16;

/** The recovery that a step starts of a resource as it was written down. */
export const recoveryOf = ({ resource, epoch, attempt }: StepTarget): string =>
  executionName({ resource, epoch, attempt, trigger: 'api' });

const isUntouched = (now: ResourceRecord, { epoch, attempt }: StepTarget): boolean =>
  now.recovery === undefined && now.epoch === epoch && now.attempt === attempt;

const readTargets = (runtime: Runtime, targets: readonly StepTarget[]) =>
  inLanes(targets, LANES, async (target) => ({
    target,
    resource: await readResource(runtime.store, target.labscape, target.resource),
  }));

/** Those to which nothing has happened since their step began. */
export const untouchedOf = async (
  runtime: Runtime,
  targets: readonly StepTarget[],
): Promise<readonly ResourceRecord[]> =>
  (await readTargets(runtime, targets)).flatMap(({ target, resource }) =>
    resource !== undefined && isUntouched(resource, target) ? [resource] : [],
  );

/** The recoveries of those that were declared failed or have moved on since. */
export const begunOf = async (runtime: Runtime, targets: readonly StepTarget[]): Promise<string[]> =>
  (await readTargets(runtime, targets)).flatMap(({ target, resource }) =>
    resource !== undefined && (resource.status === 'failed' || !isUntouched(resource, target))
      ? [recoveryOf(target)]
      : [],
  );
