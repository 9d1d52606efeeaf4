import { explainPlacement } from '../../allocation/explain.ts';
import { PREEMPTING } from '../../allocation/preemption.ts';
import type { PlacementRequest } from '../../allocation/request.ts';
import type { AllocationInput } from '../../schemas/allocation.ts';
import { CLASSES, type Vector } from '../../schemas/common.ts';
import type { Explanation, PreemptionHint } from '../../schemas/explanation.ts';
import { readSlices, readTenant } from '../../store/access/tenants.ts';
import { mapVector, subtract, sum, within } from '../../vector.ts';
import { noTenant } from '../no-tenant.ts';
import type { Runtime } from '../runtime.ts';
import { natureOf } from './allocation-draft.ts';
import { findPreemption, wantedOf } from './preempt.ts';

/** The choice and so many runners-up are named. */
const RANKED_MAX = 6;

/** What a strategy is asked for a tenant's demand. */
export const placementRequestOf = (
  tenant: string,
  input: AllocationInput,
  most: number,
): PlacementRequest & { readonly kind: string } => ({
  demand: input.demand,
  ...natureOf(tenant, input),
  ...(input.devices === undefined ? {} : { devices: input.devices }),
  ...(input.hashKey === undefined ? {} : { hashKey: input.hashKey }),
  purpose: 'placement',
  most,
});

const quotaLeft = async (runtime: Runtime, tenantId: string): Promise<Vector> => {
  const tenant = await readTenant(runtime.store, tenantId);
  if (tenant === undefined) throw noTenant(tenantId);
  const used = sum((await readSlices(runtime.store, tenant)).map((slice) => slice.used));
  return mapVector((d) => Math.max(0, subtract(tenant.quota, used)[d]));
};

/** The lowest class, from its own upwards, that would make room by pre-emption now. */
const preemptionHint = async (
  runtime: Runtime,
  tenant: string,
  input: AllocationInput,
): Promise<PreemptionHint | undefined> => {
  for (const cls of CLASSES.slice(0, CLASSES.indexOf(input.class) + 1).toReversed()) {
    if (!PREEMPTING.includes(cls)) continue;
    const plan = await findPreemption(runtime, { ...wantedOf(tenant, input), class: cls });
    if (plan === undefined) continue;
    const allocations = plan.victims.reduce((total, { count }) => total + count, 0);
    const { id: resource, labscape } = plan.target;
    return { class: cls, resource, labscape, groups: plan.victims.length, allocations };
  }
  return undefined;
};

/**
 * What an allocate of the same body would do now, and why; nothing is written. On a picture of the fleet that was begun
 * after the request. Raises not-found.
 */
export const explainAllocation = async (
  runtime: Runtime,
  tenant: string,
  input: AllocationInput,
): Promise<Explanation> => {
  const [{ resources }, left] = await Promise.all([runtime.fleet.snapshot(0), quotaLeft(runtime, tenant)]);
  const request = { ...placementRequestOf(tenant, input, RANKED_MAX), dry: true };
  const strategy = runtime.fleet.strategyFor(input.strategy, request.constraints);
  const explained = {
    name: strategy.name,
    choose: () => strategy.choose(request, () => runtime.chance.uniform()),
  };
  const { ranked, reasons, changes } = explainPlacement(explained, resources, request);
  const [choice, ...runnersUp] = ranked;
  const hint = choice === undefined ? await preemptionHint(runtime, tenant, input) : undefined;
  const fits = choice === undefined ? 'no-room' : 'fits';
  return {
    outcome: within(input.demand, left) ? fits : 'over-quota',
    strategy: strategy.name,
    ...(choice === undefined ? {} : { choice }),
    runnersUp,
    resources: resources.length,
    reasons,
    changes: changes.map((change) => ({ ...change, drop: [...change.drop] })),
    ...(hint === undefined ? {} : { preemption: hint }),
    quotaLeft: left,
  };
};
