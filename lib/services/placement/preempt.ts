import { boundFor, type Purpose } from '../../allocation/candidate.ts';
import { groupDevices, heldAfterSwap, type Seated, standsBeside, swapped } from '../../allocation/extras.ts';
import { type PreemptionRequest, planPreemption, preemptable } from '../../allocation/preemption.ts';
import { entityOf, headOf, nextEvent } from '../../audit/event.ts';
import { holdEndsAt } from '../../failover/fencing.ts';
import { withinTenant } from '../../spread.ts';
import { readResources } from '../../store/fleet/resources.ts';
import type { AllocationRecord } from '../../store/placement/allocations.ts';
import { type GroupRecord, readGroup, readGroups } from '../../store/placement/groups.ts';
import {
  type Eviction,
  fitsBeside,
  holdOf,
  homeByPreemptionWrites,
  preemptWrites,
} from '../../store/placement/preempt-writes.ts';
import type { Item } from '../../store/table/attributes.ts';
import { add, subtract, sum } from '../../vector.ts';
import type { FleetResource } from '../fleet.ts';
import { originOf, type Requester } from '../origin.ts';
import { pauseAfterRace } from '../retry.ts';
import type { Runtime } from '../runtime.ts';
import type { Draft } from './allocation-draft.ts';
import type { Placing } from './attempt.ts';
import { devicesIn, newGroup } from './membership.ts';
import { newAllocation } from './new-allocation.ts';

/** Resources whose groups are read to look for the cheapest victims: those that lack least. */
const OPTIONS_MAX = 8;
const TRIES_MAX = 4;

interface Planned {
  readonly target: FleetResource;
  readonly victims: readonly GroupRecord[];
}

/** The cheapest pre-emption among the resources that lack least, on a consistent picture of those and their groups. */
export const findPreemption = async (
  runtime: Runtime,
  request: PreemptionRequest,
): Promise<Planned | undefined> => {
  const { resources } = await runtime.fleet.snapshot();
  const shortlist = preemptable(resources, request, OPTIONS_MAX);
  if (shortlist.length === 0) return undefined;
  const [found, groups] = await Promise.all([
    readResources(runtime.store, shortlist),
    readGroups(
      runtime.store,
      shortlist.flatMap((resource) => resource.groups.map((ref) => ref.group)),
    ),
  ]);
  const targets = found.map((target) => runtime.fleet.atHome(target));
  const options = preemptable(targets, request, OPTIONS_MAX).map((candidate) => ({
    candidate,
    groups: groups.filter((group) => group.status === 'placed' && group.resource === candidate.id),
  }));
  const plan = planPreemption(options, request);
  return plan === undefined ? undefined : { target: plan.candidate, victims: plan.victims };
};

/** What is pre-empted, by whom and for whom: all but the newcomer's own items. */
const evict = async (
  runtime: Runtime,
  { target, victims }: Planned,
  newcomer: {
    readonly group: GroupRecord;
    readonly epoch: number;
    readonly purpose: Purpose;
    /** It waited: the event tells of its move. */
    readonly waited: boolean;
    readonly about: Readonly<Record<string, unknown>>;
    readonly class: GroupRecord['class'];
  },
  requester: Requester,
): Promise<{ readonly eviction: Eviction; readonly group: GroupRecord & Seated } | undefined> => {
  const labscape = await runtime.fleet.labscape(target.labscape);
  const change = swapped(target, victims, newcomer.group);
  if (labscape === undefined || change === undefined) return undefined;
  const { seated: group, swap } = change;
  const { epoch, waited, about } = newcomer;
  const { deviceMap } = group;
  const move = {
    ...{ group: group.id, from: null, to: target.id, epoch },
    ...(deviceMap === undefined ? {} : { devices: deviceMap }),
  };
  const reason = `pre-empted by ${newcomer.class} work`;
  const origin = originOf(requester, runtime.clock);
  const event = nextEvent(entityOf.resource(target.id), target.chain, origin, 'resource.preempted', {
    ...about,
    moves: waited ? [move] : [],
    pending: victims.map((victim) => ({
      ...{ group: victim.id, epoch: victim.epoch + 1, class: victim.class, count: victim.count },
      reason,
    })),
  });
  const eviction: Eviction = {
    ...{ target, victims, demand: group.demand, swap, epoch, reason, event },
    ref: { kind: group.kind, group: group.id },
    bound: boundFor(target, newcomer.purpose),
    heldUntil: holdEndsAt(origin.at, labscape.policy.leaseMs),
    holds: !fitsBeside(target, group.demand) || !standsBeside(swap, group),
  };
  return { eviction, group };
};

const learnEviction = (runtime: Runtime, eviction: Eviction): void => {
  const { target, victims, demand, ref, event, swap } = eviction;
  const gone = new Set(victims.map((victim) => victim.id));
  runtime.fleet.learn({
    ...target,
    ...heldAfterSwap(swap),
    used: add(subtract(target.used, sum(victims.map((victim) => victim.demand))), demand),
    groups: [...target.groups.filter(({ group }) => !gone.has(group)), ref],
    assignmentRevision: target.assignmentRevision + 1,
    chain: headOf(event),
  });
};

/** What a demand asks of a pre-emption, as it binds. */
export const wantedOf = (
  tenant: string,
  { demand, constraints, devices, class: cls }: Pick<Draft, 'demand' | 'constraints' | 'devices' | 'class'>,
): PreemptionRequest => ({
  ...{ demand, devices, class: cls, purpose: 'placement' },
  constraints: withinTenant(tenant, constraints),
});

export type Preempted =
  | { readonly kind: 'done'; readonly allocation: AllocationRecord; readonly group: GroupRecord }
  | {
      readonly kind: 'refused';
      readonly group: string;
      readonly failed: ReadonlyMap<string, Item | undefined>;
    }
  | { readonly kind: 'raced' }
  /** No set of lower groups makes room. */
  | { readonly kind: 'nowhere' };

/** Places a demand that fits nowhere by making the cheapest lower groups wait: one transaction. */
export const allocateByPreemption = async (runtime: Runtime, placing: Placing): Promise<Preempted> => {
  const { request, draft, kind, slice } = placing;
  const plan = await findPreemption(runtime, wantedOf(draft.tenant, draft));
  if (plan === undefined) return { kind: 'nowhere' };
  const newcomer = newGroup(runtime, draft, kind, plan.target);
  const { requester } = request;
  const { tenant, id } = draft;
  const evicted = await evict(
    runtime,
    plan,
    {
      group: newcomer,
      epoch: 1,
      purpose: 'placement',
      waited: false,
      about: { tenant, allocation: id, group: newcomer.id },
      class: draft.class,
    },
    requester,
  );
  // Its pictures are not of one moment.
  if (evicted === undefined) return { kind: 'raced' };
  const { eviction, group } = evicted;
  const { allocation, event } = newAllocation(runtime, placing, {
    ...{ type: 'allocation.placed', group: group.id, requester },
    told: {
      ...{ born: true, resource: plan.target.id, leaseUntil: draft.leaseUntil ?? null },
      ...devicesIn(draft, { kind: 'birth', group }),
      preempted: plan.victims.map((victim) => victim.id),
    },
  });
  const outcome = await runtime.store.transact(
    preemptWrites(runtime.store, eviction, { allocation, group, sliceCap: slice.cap, event }),
  );
  if (outcome.kind === 'raced') return outcome;
  if (outcome.kind === 'refused') return { ...outcome, group: group.id };
  runtime.quotas.took(tenant, slice.index, draft.demand);
  learnEviction(runtime, eviction);
  return { kind: 'done', allocation, group: { ...group, ...holdOf(eviction) } };
};

export type HomedByPreemption =
  | { readonly kind: 'placed'; readonly resource: string; readonly epoch: number; readonly victims: number }
  | { readonly kind: 'nowhere' };

/** Homes a pending group of a failover within the limit by making lower ones wait; critical and high only. */
export const homeByPreemption = async (
  runtime: Runtime,
  groupId: string,
  recovery: string,
  requester: Requester,
): Promise<HomedByPreemption> => {
  for (let attempt = 0; attempt < TRIES_MAX; attempt += 1) {
    const group = await readGroup(runtime.store, groupId);
    // Whose data are only in some places does not push others aside anywhere else.
    if (group?.status !== 'pending' || group.data?.required === true) return { kind: 'nowhere' };
    const { demand, constraints, class: cls } = group;
    const devices = groupDevices(group);
    const wanted: PreemptionRequest = { demand, constraints, devices, class: cls, purpose: 'failover' };
    const plan = await findPreemption(runtime, wanted);
    if (plan === undefined) return { kind: 'nowhere' };
    const epoch = group.epoch + 1;
    const newcomer = {
      group,
      epoch,
      purpose: 'failover' as const,
      waited: true,
      about: { recovery },
      class: cls,
    };
    const evicted = await evict(runtime, plan, newcomer, requester);
    if (evicted !== undefined) {
      const { eviction, group: seated } = evicted;
      const writes = homeByPreemptionWrites(runtime.store, eviction, group, seated.deviceMap);
      const outcome = await runtime.store.transact(writes);
      if (outcome.kind === 'done') {
        learnEviction(runtime, eviction);
        return { kind: 'placed', resource: plan.target.id, epoch, victims: plan.victims.length };
      }
    }
    await pauseAfterRace(runtime, attempt);
  }
  return { kind: 'nowhere' };
};
