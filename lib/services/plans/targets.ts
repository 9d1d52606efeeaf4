import { createHash } from 'node:crypto';
import { classOfKind } from '../../allocation/groups.ts';
import { ProblemError } from '../../errors.ts';
import { summaryOf } from '../../failover/quote.ts';
import { FAILED_AT_ONCE_MAX } from '../../schemas/recovery.ts';
import type { PlanQuote, PlanStep } from '../../schemas/recovery-plan.ts';
import type { ResourceRecord } from '../../store/fleet/resources.ts';
import type { RecoveryPlanRecord } from '../../store/recovery/recovery-plans.ts';
import type { FleetSnapshot } from '../fleet.ts';
import { holdingsOf, quoteHeld } from '../recovery/quote.ts';
import type { Runtime } from '../runtime.ts';

/** Reads of groups at a time, by resource. */
const READ_TOGETHER = 16;

const isInService = ({ status }: ResourceRecord): boolean =>
  status === 'healthy' || status === 'suspect' || status === 'failed';

/** The resources of a step, as they are now. Raises invalid-input: more than one step may fail at once. */
export const targetsOf = (
  { labscapes, resources, classes }: PlanStep,
  fleet: FleetSnapshot,
): readonly ResourceRecord[] => {
  const targets = fleet.resources.filter(
    (one) =>
      isInService(one) &&
      (labscapes?.includes(one.labscape) === true || resources?.includes(one.id) === true) &&
      (classes === undefined || one.groups.some(({ kind }) => classes.includes(classOfKind(kind)))),
  );
  if (targets.length > FAILED_AT_ONCE_MAX)
    throw new ProblemError(
      'invalid-input',
      `a step of ${targets.length} resources, ${FAILED_AT_ONCE_MAX} can be failed at once: make it several steps`,
    );
  return targets;
};

export const nameOf = (step: PlanStep, at: number): string => step.name ?? `step ${at + 1}`;

/**
 * What a run of the plan would do now: each step is quoted on the fleet as it is, with its own resources and those of the
 * steps before it out of service. Changes nothing.
 */
export const quotePlan = async (runtime: Runtime, plan: RecoveryPlanRecord): Promise<PlanQuote> => {
  const fleet = await runtime.fleet.snapshot(0);
  const steps: PlanQuote['steps'] = [];
  const lost = new Set<string>();
  for (const [at, step] of plan.steps.entries()) {
    const targets = targetsOf(step, fleet).filter(({ id }) => !lost.has(id));
    const held = [];
    for (let from = 0; from < targets.length; from += READ_TOGETHER) {
      const some = targets.slice(from, from + READ_TOGETHER);
      held.push(...(await Promise.all(some.map((one) => holdingsOf(runtime, one)))));
    }
    const left = fleet.resources.filter(({ id }) => !lost.has(id));
    const quote = await quoteHeld(runtime, held, { ...fleet, resources: left });
    steps.push({ name: nameOf(step, at), resources: targets.map(({ id }) => id), quote: summaryOf(quote) });
    for (const { id } of targets) lost.add(id);
  }
  const bound = steps.map(({ resources, quote }) => [resources, quote.hash]);
  const hash = createHash('sha256')
    .update(JSON.stringify([plan.id, plan.cfg, bound]))
    .digest('hex');
  return { hash, plan: plan.id, cfg: plan.cfg, at: runtime.clock.now(), steps };
};
