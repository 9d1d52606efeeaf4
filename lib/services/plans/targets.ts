import { createHash } from 'node:crypto';
import { classOfKind } from '../../allocation/groups.ts';
import { ProblemError } from '../../errors.ts';
import { summaryOf } from '../../failover/quote.ts';
import { FAILED_AT_ONCE_MAX } from '../../schemas/recovery.ts';
import { type PlanQuote, type PlanStep, type StepKind, takesOut } from '../../schemas/recovery-plan.ts';
import type { ResourceStatus } from '../../schemas/resource.ts';
import type { ResourceRecord } from '../../store/fleet/resources.ts';
import type { RecoveryPlanRecord } from '../../store/recovery/recovery-plans.ts';
import { quoteDrain } from '../recovery/ask-quote.ts';
import { inLanes } from '../recovery/lanes.ts';
import { holdingsOf, quoteHeld } from '../recovery/quote.ts';
import type { Runtime } from '../runtime.ts';

/** Reads of groups at a time, by resource. */
const LANES = 16;

const IN_SERVICE: ReadonlySet<ResourceStatus> = new Set(['healthy', 'suspect', 'failed']);
const MAY_RETURN: ReadonlySet<ResourceStatus> = new Set(['drained', 'offline']);

type Looked = Pick<ResourceRecord, 'status' | 'movedBy'>;
const isInService = ({ status }: Looked): boolean => IN_SERVICE.has(status);

/** What a step is about. What is not back yet when its work shall go home is waited for. */
const CONCERNS: Readonly<Record<StepKind, (resource: Looked) => boolean>> = {
  fail: isInService,
  drain: isInService,
  activate: ({ status }) => MAY_RETURN.has(status),
  failback: ({ status, movedBy }) => movedBy !== undefined && status !== 'retired',
};

export const isAway = ({ status }: ResourceRecord): boolean =>
  status === 'drained' || status === 'offline' || status === 'retired';

export const kindOf = ({ how = 'fail' }: PlanStep): StepKind => how;

/** The resources of a step, as they are now. Raises invalid-input: more than one step may be about. */
export const targetsOf = <T extends ResourceRecord>(step: PlanStep, fleet: readonly T[]): readonly T[] => {
  const { labscapes, resources, classes } = step;
  const concerns = CONCERNS[kindOf(step)];
  const targets = fleet.filter(
    (one) =>
      concerns(one) &&
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
  const became = new Map<string, { status: 'drained' | 'healthy'; movedBy: string | undefined }>();
  for (const [at, step] of plan.steps.entries()) {
    const how = kindOf(step);
    const seen = fleet.resources.map((one) => ({ ...one, ...became.get(one.id) }));
    const targets = targetsOf(step, seen);
    const left = seen.filter(({ id }) => became.get(id)?.status !== 'drained');
    const held = !takesOut(how) ? [] : await inLanes(targets, LANES, (one) => holdingsOf(runtime, one));
    const ask = step.graceMs === undefined ? quoteHeld : quoteDrain;
    const quote = await ask(runtime, held, { ...fleet, resources: left });
    const ids = targets.map(({ id }) => id);
    steps.push({ name: nameOf(step, at), how, resources: ids, quote: summaryOf(quote) });
    if (how === 'failback') continue;
    for (const { id, groups, movedBy } of targets)
      became.set(id, {
        status: how === 'activate' ? 'healthy' : 'drained',
        // A run of it has no recovery's name yet.
        movedBy: takesOut(how) && groups.length > 0 ? plan.id : movedBy,
      });
  }
  const bound = steps.map(({ resources, quote }) => [resources, quote.hash]);
  const hash = createHash('sha256')
    .update(JSON.stringify([plan.id, plan.cfg, bound]))
    .digest('hex');
  return { hash, plan: plan.id, cfg: plan.cfg, at: runtime.clock.now(), steps };
};
