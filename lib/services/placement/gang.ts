import { smallestChanges } from '../../allocation/explain.ts';
import { arriving, type Extras, heldAfter, NO_EXTRAS } from '../../allocation/extras.ts';
import {
  GANG_ITEMS_MAX,
  type GangPlan,
  type GangRules,
  gangPossible,
  planGang,
} from '../../allocation/gang.ts';
import { ProblemError } from '../../errors.ts';
import type { QuotaSlice } from '../../store/access/tenants.ts';
import { decodeResource } from '../../store/fleet/resources.ts';
import type { AllocationRecord } from '../../store/placement/allocations.ts';
import { gangWrites, type PlacedGroup } from '../../store/placement/gang-writes.ts';
import type { Item } from '../../store/table/attributes.ts';
import { add, sum } from '../../vector.ts';
import type { FleetResource } from '../fleet.ts';
import { pauseAfterRace } from '../retry.ts';
import type { Runtime } from '../runtime.ts';
import type { Allocated, AllocateRequest, Draft } from './allocation-draft.ts';
import { allocationView } from './allocation-view.ts';
import { sliceFor } from './attempt.ts';
import { existingGang, type Gang, gangOf, refuseOptions } from './gang-draft.ts';
import { reserveWarning } from './gang-reserve.ts';
import { devicesIn, newGroup } from './membership.ts';
import { newAllocation } from './new-allocation.ts';

/** Plans that others may overtake before the caller hears that the fleet is too busy. */
const PLANS_MAX = 6;

type Planned = Extract<GangPlan<FleetResource>, { kind: 'planned' }>;

/** All members or none, in one transaction. Raises quota-exceeded, no-capacity, invalid-input (too many), … */
export const allocateGang = async (
  runtime: Runtime,
  requests: readonly AllocateRequest[],
): Promise<readonly Allocated[]> => {
  refuseOptions(requests);
  const gang = gangOf(runtime, requests);
  const startedMs = runtime.clock.monotonicMs();
  const total = sum(gang.drafts.map((draft) => draft.demand));
  for (let attempt = 0; attempt < PLANS_MAX; attempt += 1) {
    const [snapshot, slice] = await Promise.all([
      runtime.fleet.snapshot(),
      sliceFor(runtime, gang.tenant, total),
      requests[0]?.cleared(),
    ]);
    const rules = rulesOf(runtime, gang);
    const plan = slice instanceof ProblemError ? slice : planGang(gang.members, snapshot.resources, rules);
    if (plan instanceof ProblemError || plan.kind === 'stuck' || plan.items > GANG_ITEMS_MAX) {
      // A refusal stands only on a picture begun after the request.
      if (snapshot.at < startedMs) {
        await runtime.fleet.snapshot(0);
        continue;
      }
      const existing = await existingGang(runtime, gang);
      if (existing !== undefined) return existing;
      throw plan instanceof ProblemError ? plan : refusalOf(plan, gang, snapshot.resources, rules);
    }
    if (slice instanceof ProblemError) throw slice;
    const placed = await commit(runtime, gang, plan, slice, total);
    if (placed !== undefined) return placed;
    await pauseAfterRace(runtime, attempt);
  }
  // Whoever won each time may be this very batch: clients send it again when no answer comes.
  const existing = await existingGang(runtime, gang);
  if (existing !== undefined) return existing;
  throw new ProblemError('unavailable', 'too many others are allocating at the same time: try again', {
    retryAfterS: 1,
  });
};

const rulesOf = (runtime: Runtime, { requests }: Gang): GangRules => ({
  choose: ({ index, request }, except) => {
    const strategy = runtime.fleet.strategyFor(requests[index]?.input.strategy, request.constraints);
    return strategy.choose({ ...request, except }, () => runtime.chance.uniform())[0]?.candidate.id;
  },
  isFull: (group) => runtime.fleet.isFull(group),
});

const refusalOf = (
  plan: GangPlan<FleetResource>,
  gang: Gang,
  fleet: readonly FleetResource[],
  rules: GangRules,
): ProblemError => {
  if (plan.kind === 'stuck') {
    const { member, placed } = plan;
    return new ProblemError(
      'no-capacity',
      `there is room for ${placed} of ${gang.members.length} at once, and none for item ${member.index}: ask for less, or for best effort`,
      { reasons: { item: member.index, placed, changes: smallestChanges(plan.fleet, member.request) } },
    );
  }
  const possible = gangPossible(gang.members, fleet, rules);
  return new ProblemError('invalid-input', `one transaction holds a gang of ${possible} of these at most`, {
    errors: [{ field: 'items', reason: `must be at most ${possible} for a gang` }],
    reasons: { possible, items: plan.items, itemsMax: GANG_ITEMS_MAX },
  });
};

/** Undefined: somebody was faster, and what was learned of it is in the picture. */
const commit = async (
  runtime: Runtime,
  gang: Gang,
  plan: Planned,
  slice: QuotaSlice,
  total: AllocationRecord['demand'],
): Promise<readonly Allocated[] | undefined> => {
  const groups = plan.groups.map((group): PlacedGroup => {
    const draft = gang.drafts[group.members[0] ?? 0];
    if (group.joins !== undefined || draft === undefined) return { plan: group, born: undefined };
    const { members, demand, deviceMap } = group;
    const born = newGroup(runtime, draft, group.kind, group.target);
    return { plan: group, born: { ...born, deviceMap, demand, count: members.length, load: members.length } };
  });
  const extras = extrasOf(groups);
  if (extras === undefined) return undefined;
  const warning = await reserveWarning(runtime, groups);
  const members = gang.drafts.map((draft, index) => {
    const home = groups.find(({ plan: own }) => own.members.includes(index));
    if (home === undefined) throw new Error(`member ${index} of a gang was planned nowhere`);
    return memberOf(runtime, gang, draft, slice, home, index);
  });
  const { tenant } = gang;
  const outcome = await runtime.store.transact(
    gangWrites(runtime.store, {
      ...{ members, groups, extras, tenant, total, slice: slice.index, sliceCap: slice.cap },
    }),
  );
  if (outcome.kind === 'raced') return undefined;
  if (outcome.kind === 'refused') return learnFrom(runtime, gang, outcome.failed);
  runtime.quotas.took(tenant, slice.index, total);
  for (const { plan: own, born } of groups) learnGroup(runtime, own.target.id, own.demand, born);
  for (const [id, brought] of extras) learnExtras(runtime, id, brought);
  return members.map(({ allocation, home }) => ({
    kind: 'created',
    allocation: {
      ...allocationView(allocation, home.born),
      ...{ status: 'placed', group: allocation.group, running: false },
      ...{ resource: home.plan.target.id, labscape: home.plan.target.labscape },
      ...(warning === undefined ? {} : { warning }),
    },
  }));
};

/** By resource, what the newborn bring beside their demands; undefined when a device would pass its sub-slots. */
const extrasOf = (groups: readonly PlacedGroup[]): ReadonlyMap<string, Extras> | undefined => {
  const byTarget = new Map<string, Extras>();
  for (const [id, own] of Map.groupBy(groups, ({ plan }) => plan.target.id)) {
    const target = own[0]?.plan.target;
    const births = own.flatMap(({ born }) => (born === undefined ? [] : [born]));
    const extras = target && arriving(target, births);
    if (extras === undefined) return undefined;
    byTarget.set(id, extras);
  }
  return byTarget;
};

const memberOf = (
  runtime: Runtime,
  gang: Gang,
  draft: Draft,
  slice: QuotaSlice,
  home: PlacedGroup,
  index: number,
) => {
  const group = home.born?.id ?? home.plan.joins ?? '';
  const requester = gang.requests[index]?.requester ?? { actor: '', request: '' };
  const born = newAllocation(
    runtime,
    { draft, kind: home.plan.kind, slice },
    {
      ...{ type: 'allocation.placed', group, requester },
      told: {
        // Only the first of a newborn group's members tells of the birth.
        born: home.born !== undefined && home.plan.members[0] === index,
        ...{ resource: home.plan.target.id, leaseUntil: draft.leaseUntil ?? null },
        ...(home.born === undefined ? {} : devicesIn(draft, { kind: 'birth', group: home.born })),
        gang: { index, of: gang.drafts.length },
      },
    },
  );
  return { ...born, home };
};

const learnGroup = (
  runtime: Runtime,
  target: string,
  demand: AllocationRecord['demand'],
  born: PlacedGroup['born'],
): void => {
  const resource = runtime.fleet.seen(target);
  if (resource === undefined) return;
  runtime.fleet.learn({
    ...resource,
    used: add(resource.used, demand),
    assignmentRevision: resource.assignmentRevision + 1,
    groups: born === undefined ? resource.groups : [...resource.groups, { kind: born.kind, group: born.id }],
  });
};

const learnExtras = (runtime: Runtime, target: string, extras: Extras): void => {
  const resource = runtime.fleet.seen(target);
  if (resource !== undefined && extras !== NO_EXTRAS)
    runtime.fleet.learn({ ...resource, ...heldAfter(resource, extras, 'came') });
};

const learnFrom = async (
  runtime: Runtime,
  gang: Gang,
  failed: ReadonlyMap<string, Item | undefined>,
): Promise<readonly Allocated[] | undefined> => {
  for (const [as, item] of failed) {
    const [what = '', id = ''] = as.split(':');
    if (what === 'allocation' && item !== undefined) return existingGang(runtime, gang);
    if (what === 'group') runtime.fleet.markFull(id);
    if (what === 'quota') runtime.quotas.learn(gang.tenant, item);
    if (what === 'resource' && item !== undefined) runtime.fleet.learn(decodeResource(item));
  }
  return undefined;
};
