import { EMPTY_CHAIN, entityOf, headOf, nextEvent } from '../../audit/event.ts';
import { ProblemError } from '../../errors.ts';
import type { RecoveryPlan, RecoveryPlanInput } from '../../schemas/recovery-plan.ts';
import {
  allPlans,
  putPlanWrites,
  type RecoveryPlanRecord,
  readPlan,
} from '../../store/recovery/recovery-plans.ts';
import { originOf, type Requester } from '../origin.ts';
import { staleConfiguration } from '../registry/labscapes.ts';
import { untilWon } from '../retry.ts';
import type { Runtime } from '../runtime.ts';

export const planView = ({ chain: _, run, ...plan }: RecoveryPlanRecord): RecoveryPlan => ({
  ...plan,
  ...(run === undefined ? {} : { run }),
});

/** Raises not-found. */
export const getPlan = async ({ store }: Runtime, id: string): Promise<RecoveryPlanRecord> => {
  const plan = await readPlan(store, id);
  if (plan === undefined) throw new ProblemError('not-found', `there is no recovery plan ${id}`);
  return plan;
};

export const listPlans = async ({ store }: Runtime): Promise<RecoveryPlan[]> =>
  (await allPlans(store)).map(planView);

const refuseStrangers = async (runtime: Runtime, { steps }: RecoveryPlanInput): Promise<void> => {
  const { labscapes, resources } = await runtime.fleet.snapshot(0);
  const ids = new Set(resources.map(({ id }) => id));
  const errors = steps.flatMap(({ labscapes: named = [], resources: wanted = [] }, at) => [
    ...named
      .filter((id) => !labscapes.has(id))
      .map((id) => ({ field: `steps.${at}.labscapes`, reason: `no labscape ${id} has joined` })),
    ...wanted
      .filter((id) => !ids.has(id))
      .map((id) => ({ field: `steps.${at}.resources`, reason: `no resource ${id} is registered` })),
  ]);
  if (errors.length > 0)
    throw new ProblemError('invalid-input', 'the plan names what is not there', { errors });
};

/**
 * Writes the next version of a plan, or the first one. A run that is under way goes on with the version that it began
 * with. `ifMatch`: the version that is replaced, 0 for none; undefined: whichever. Raises invalid-input,
 * stale-precondition.
 */
export const putPlan = async (
  runtime: Runtime,
  id: string,
  input: RecoveryPlanInput,
  ifMatch: number | undefined,
  requester: Requester,
): Promise<Put> =>
  untilWon(runtime, `recovery plan ${id}`, () => tryPut(runtime, id, input, ifMatch, requester));

interface Put {
  readonly plan: RecoveryPlan;
  readonly isNew: boolean;
}

const tryPut = async (
  runtime: Runtime,
  id: string,
  input: RecoveryPlanInput,
  ifMatch: number | undefined,
  requester: Requester,
): Promise<Put | undefined> => {
  await refuseStrangers(runtime, input);
  const before = await readPlan(runtime.store, id);
  if (ifMatch !== undefined && ifMatch !== (before?.cfg ?? 0))
    throw staleConfiguration(`recovery plan ${id}`, before?.cfg ?? 0);
  const cfg = (before?.cfg ?? 0) + 1;
  const { name = id, steps } = input;
  const origin = originOf(requester, runtime.clock);
  const body = { name, cfg, steps };
  const event = nextEvent(entityOf.plan(id), before?.chain ?? EMPTY_CHAIN, origin, 'plan.written', body);
  const after: RecoveryPlanRecord = {
    ...{ id, name, steps, cfg, run: before?.run, chain: headOf(event) },
    ...{ changedAt: event.at, changedBy: requester.actor },
  };
  const outcome = await runtime.store.transact(putPlanWrites(runtime.store, before, after, event));
  if (outcome.kind !== 'done') return undefined;
  return { plan: planView(after), isNew: before === undefined };
};
