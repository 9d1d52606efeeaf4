import type { Purpose } from '../allocation/candidate.ts';
import { type PreemptionRequest, planPreemption, preemptable } from '../allocation/preemption.ts';
import { EMPTY_CHAIN, entityOf, headOf, nextEvent } from '../audit/event.ts';
import { leaseEndsAt } from '../failover/fencing.ts';
import type { AllocationRecord } from '../store/allocations.ts';
import type { Item } from '../store/attributes.ts';
import { type GroupRecord, readGroup, readGroups } from '../store/groups.ts';
import {
  type Eviction,
  fitsBeside,
  holdOf,
  homeByPreemptionWrites,
  preemptWrites,
} from '../store/preempt-writes.ts';
import { type ResourceRecord, readResources } from '../store/resources.ts';
import type { QuotaSlice } from '../store/tenants.ts';
import { add, subtract, sum } from '../vector.ts';
import type { AllocateRequest, Draft } from './allocation-draft.ts';
import { newGroup } from './membership.ts';
import { originOf, type Requester } from './origin.ts';
import { pauseAfterRace } from './retry.ts';
import type { Runtime } from './runtime.ts';

/** Resources whose groups are read to look for the cheapest victims: those that lack least. */
const OPTIONS_MAX = 8;
const TRIES_MAX = 4;

interface Planned {
  readonly target: ResourceRecord;
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
  const [targets, groups] = await Promise.all([
    readResources(runtime.store, shortlist),
    readGroups(
      runtime.store,
      shortlist.flatMap((resource) => resource.groups.map((ref) => ref.group)),
    ),
  ]);
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
    readonly group: Pick<GroupRecord, 'id' | 'kind' | 'demand'>;
    readonly epoch: number;
    readonly purpose: Purpose;
    /** Moves that the event tells of besides: a group that waited. */
    readonly moves: readonly object[];
    readonly about: Readonly<Record<string, unknown>>;
    readonly class: GroupRecord['class'];
  },
  requester: Requester,
): Promise<Eviction | undefined> => {
  const labscape = await runtime.fleet.labscape(target.labscape);
  if (labscape === undefined) return undefined;
  const { group, epoch, moves, about } = newcomer;
  const reason = `pre-empted by ${newcomer.class} work`;
  const origin = originOf(requester, runtime.clock);
  const event = nextEvent(entityOf.resource(target.id), target.chain, origin, 'resource.preempted', {
    ...about,
    moves,
    pending: victims.map((victim) => ({
      ...{ group: victim.id, epoch: victim.epoch + 1, class: victim.class, count: victim.count },
      reason,
    })),
  });
  return {
    ...{
      target,
      victims,
      demand: group.demand,
      ref: { kind: group.kind, group: group.id },
      epoch,
      reason,
      event,
    },
    bound: newcomer.purpose === 'failover' ? target.limit : target.fill,
    heldUntil: leaseEndsAt(origin.at, labscape.policy.leaseMs),
    holds: !fitsBeside(target, group.demand),
  };
};

const learnEviction = (runtime: Runtime, { target, victims, demand, ref, event }: Eviction): void => {
  const gone = new Set(victims.map((victim) => victim.id));
  runtime.fleet.learn({
    ...target,
    used: add(subtract(target.used, sum(victims.map((victim) => victim.demand))), demand),
    groups: [...target.groups.filter(({ group }) => !gone.has(group)), ref],
    assignmentRevision: target.assignmentRevision + 1,
    chain: headOf(event),
  });
};

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
export const allocateByPreemption = async (
  runtime: Runtime,
  request: AllocateRequest,
  draft: Draft,
  kind: string,
  slice: QuotaSlice,
): Promise<Preempted> => {
  const { demand, constraints } = draft;
  const wanted: PreemptionRequest = { demand, constraints, class: draft.class, purpose: 'placement' };
  const plan = await findPreemption(runtime, wanted);
  if (plan === undefined) return { kind: 'nowhere' };
  const group = newGroup(runtime, draft, kind, plan.target);
  const { requester } = request;
  const { tenant, id } = draft;
  const eviction = await evict(
    runtime,
    plan,
    {
      group,
      epoch: 1,
      purpose: 'placement',
      moves: [],
      about: { tenant, allocation: id, group: group.id },
      class: draft.class,
    },
    requester,
  );
  if (eviction === undefined) return { kind: 'nowhere' };
  const event = nextEvent(
    entityOf.allocation(tenant, id),
    EMPTY_CHAIN,
    originOf(requester, runtime.clock),
    'allocation.placed',
    {
      ...{ class: draft.class, demand, constraints, group: group.id, born: true, resource: plan.target.id },
      leaseUntil: draft.leaseUntil ?? null,
      requestHash: draft.requestHash,
      preempted: plan.victims.map((victim) => victim.id),
    },
  );
  const allocation: AllocationRecord = {
    ...draft,
    group: group.id,
    slice: slice.index,
    chain: headOf(event),
  };
  const outcome = await runtime.store.transact(
    preemptWrites(runtime.store, eviction, { allocation, group, sliceCap: slice.cap, event }),
  );
  if (outcome.kind === 'raced') return outcome;
  if (outcome.kind === 'refused') return { ...outcome, group: group.id };
  runtime.quotas.took(tenant, slice.index, demand);
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
    if (group?.status !== 'pending') return { kind: 'nowhere' };
    const { demand, constraints } = group;
    const wanted: PreemptionRequest = { demand, constraints, class: group.class, purpose: 'failover' };
    const plan = await findPreemption(runtime, wanted);
    if (plan === undefined) return { kind: 'nowhere' };
    const epoch = group.epoch + 1;
    const moves = [{ group: group.id, from: null, to: plan.target.id, epoch }];
    const newcomer = {
      group,
      epoch,
      purpose: 'failover' as const,
      moves,
      about: { recovery },
      class: group.class,
    };
    const eviction = await evict(runtime, plan, newcomer, requester);
    if (eviction === undefined) return { kind: 'nowhere' };
    const outcome = await runtime.store.transact(homeByPreemptionWrites(runtime.store, eviction, group));
    if (outcome.kind === 'done') {
      learnEviction(runtime, eviction);
      return { kind: 'placed', resource: plan.target.id, epoch, victims: plan.victims.length };
    }
    await pauseAfterRace(runtime, attempt);
  }
  return { kind: 'nowhere' };
};
