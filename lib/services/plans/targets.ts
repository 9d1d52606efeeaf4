import { createHash } from 'node:crypto';
import { classOfKind } from '../../allocation/groups.ts';
import { ProblemError } from '../../errors.ts';
import { summaryOf } from '../../failover/quote.ts';
import { FAILED_AT_ONCE_MAX } from '../../schemas/recovery.ts';
import type { PlanQuote, PlanStep, StepKind } from '../../schemas/recovery-plan.ts';
import type { ResourceStatus } from '../../schemas/resource.ts';
import type { ResourceRecord } from '../../store/fleet/resources.ts';
import type { RecoveryPlanRecord } from '../../store/recovery/recovery-plans.ts';
import { inLanes } from '../recovery/lanes.ts';
import { holdingsOf, quoteHeld } from '../recovery/quote.ts';
import type { Runtime } from '../runtime.ts';

/** Reads of groups at a time, by resource. */
const LANES = 16;

const IN_SERVICE: ReadonlySet<ResourceStatus> = new Set(['healthy', 'suspect', 'failed']);
const MAY_RETURN: ReadonlySet<ResourceStatus> = new Set(['drained', 'offline']);

export const isAway = ({ status }: ResourceRecord): boolean =>
  status === 'drained' || status === 'offline' || status === 'retired';

export const kindOf = ({ how = 'fail' }: PlanStep): StepKind => how;

/** The resources of a step, as they are now. Raises invalid-input: more than one step may be about. */
export const targetsOf = <T extends ResourceRecord>(step: PlanStep, fleet: readonly T[]): readonly T[] => {
  const { labscapes, resources, classes } = step;
  const concerned = kindOf(step) === 'activate' ? MAY_RETURN : IN_SERVICE;
  const targets = fleet.filter(
    (one) =>
      concerned.has(one.status) &&
      (labscapes?.includes(one.labscape) === true || resources?.includes(one.id) === true) &&
      (classes === undefined || one.groups.some(({ kind }) => classes.includes(classOfKind(kind)))),
  );
  if (targets.length > FAILED_AT_ONCE_MAX)
    throw new ProblemError(
      'invalid-input',
      `a step of ${targets.length} resources, it may have ${FAILED_AT_ONCE_MAX}: make it several steps`,
    );
  return targets;
};

export const nameOf = (step: PlanStep, at: number): string => step.name ?? `step ${at + 1}`;

/**
 * What a run of the plan would do now: each step is quoted on the fleet as it is, without what the step and those before
 * it take out of service, and with what they bring back. Changes nothing.
 */
export const quotePlan = async (runtime: Runtime, plan: RecoveryPlanRecord): Promise<PlanQuote> => {
  const fleet = await runtime.fleet.snapshot(0);
  const steps: PlanQuote['steps'] = [];
  const became = new Map<string, 'drained' | 'healthy'>();
  for (const [at, step] of plan.steps.entries()) {
    const how = kindOf(step);
    const seen = fleet.resources.map((one) => ({ ...one, status: became.get(one.id) ?? one.status }));
    const targets = targetsOf(step, seen);
    const left = seen.filter(({ id }) => became.get(id) !== 'drained');
    const held = how === 'activate' ? [] : await inLanes(targets, LANES, (one) => holdingsOf(runtime, one));
    const quote = await quoteHeld(runtime, held, { ...fleet, resources: left });
    const ids = targets.map(({ id }) => id);
    steps.push({ name: nameOf(step, at), how, resources: ids, quote: summaryOf(quote) });
    for (const id of ids) became.set(id, how === 'activate' ? 'healthy' : 'drained');
  }
  const bound = steps.map(({ resources, quote }) => [resources, quote.hash]);
  const hash = createHash('sha256')
    .update(JSON.stringify([plan.id, plan.cfg, bound]))
    .digest('hex');
  return { hash, plan: plan.id, cfg: plan.cfg, at: runtime.clock.now(), steps };
};
