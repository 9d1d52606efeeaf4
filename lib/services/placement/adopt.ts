import { type Ineligible, ineligible } from '../../allocation/eligibility.ts';
import { ProblemError } from '../../errors.ts';
import { DIMENSIONS } from '../../schemas/common.ts';
import type { ResourceRecord } from '../../store/fleet/resources.ts';
import { getResource } from '../registry/resources.ts';
import { untilWon } from '../retry.ts';
import type { Runtime } from '../runtime.ts';
import { type Allocated, type AllocateRequest, draftOf, natureOf } from './allocation-draft.ts';
import { sliceFor } from './attempt.ts';
import { existingOf } from './existing.ts';
import { placeOn } from './place-on.ts';
import type { Refused } from './refusal.ts';

/**
 * Accounts for work where it runs already: on exactly this resource, up to its limit, since the fill is a rule for what
 * is yet to be placed. Its agent is told to take it over. Raises not-found, conflict (it does not fit there, with the
 * rule), quota-exceeded, idempotency-mismatch, unavailable.
 */
export const adoptWork = async (
  runtime: Runtime,
  request: AllocateRequest,
  resourceId: string,
): Promise<Allocated> => {
  const draft = draftOf(runtime, request);
  const { kind } = natureOf(request.tenant, request.input);
  return untilWon(runtime, `resource ${resourceId}`, async () => {
    // The first look at a fleet that this function has not seen yet also gives the labscapes' policies.
    const [target, slice] = await Promise.all([
      getResource(runtime, resourceId),
      sliceFor(runtime, request.tenant, request.input.demand),
      runtime.fleet.snapshot(),
      request.cleared(),
    ]);
    const existing = await existingOf(runtime, request, draft);
    if (existing !== undefined) return existing;
    if (slice instanceof ProblemError) throw slice;
    const refusal = await refusalOf(runtime, request, kind, target);
    if (refusal !== undefined) throw doesNotFit(target, request, refusal);
    const refused: Refused = { ids: new Set(), lacking: [] };
    const outcome = await placeOn(runtime, { request, draft, kind, slice }, { target }, refused);
    if (outcome.kind === 'done') return withWarning(outcome.result, request, target);
    if (refused.ids.has(target.id)) throw doesNotFit(target, request, 'too-many-groups');
    return undefined;
  });
};

/** As for what is to be placed, but up to the limit, and also where a place is held for others: it runs there already. */
const refusalOf = async (
  runtime: Runtime,
  { tenant, input }: AllocateRequest,
  kind: string,
  target: ResourceRecord,
): Promise<Ineligible | undefined> => {
  const residency = (await runtime.fleet.labscape(target.labscape))?.residency;
  const asBound = { ...target, residency, fill: target.limit, eased: undefined };
  const { constraints } = natureOf(tenant, input);
  return ineligible(asBound, input.demand, constraints, 'placement', kind, input.devices);
};

const doesNotFit = (
  { id, status, used, limit }: ResourceRecord,
  { input: { demand } }: AllocateRequest,
  refusal: Ineligible,
): ProblemError => {
  const over = DIMENSIONS.find((dimension) => refusal === `no-room-${dimension}`);
  const why =
    over === undefined
      ? `${refusal}, the resource is ${status}`
      : `${used[over]} of ${over} is accounted there, with ${demand[over]} more it would pass the limit ${limit[over]}`;
  return new ProblemError('conflict', `resource ${id} cannot take over this work: ${why}`, {
    errors: [{ field: 'adopt.resource', reason: refusal }],
    reasons: { resources: { [refusal]: 1 } },
  });
};

/** Over the fill is no refusal, but somebody should know: normal placement finds no room there, and a failover less. */
const withWarning = (
  done: Allocated,
  { input: { demand } }: AllocateRequest,
  target: ResourceRecord,
): Allocated => {
  if (done.kind !== 'created') return done;
  const over = DIMENSIONS.filter((d) => demand[d] > 0 && target.used[d] + demand[d] > target.fill[d]);
  if (over.length === 0) return done;
  const parts = over.map((d) => `${target.used[d] + demand[d]} of ${d} where the fill is ${target.fill[d]}`);
  const warnings = [done.allocation.warning, `over the fill of ${target.id}: ${parts.join(', ')}`];
  const warning = warnings.filter((one) => one !== undefined).join('; ');
  return { ...done, allocation: { ...done.allocation, warning } };
};
