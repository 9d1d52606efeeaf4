import { excludedBy } from '../../allocation/eligibility.ts';
import { closeBoundOf } from '../../allocation/groups.ts';
import { entityOf, nextEvent } from '../../audit/event.ts';
import { planSplit } from '../../optimisation/split-merge.ts';
import { MEMBERS_PER_STEP_MAX } from '../../optimisation/tidy.ts';
import type { Vector } from '../../schemas/common.ts';
import { membersOf } from '../../store/placement/allocations.ts';
import { type GroupRecord, readGroup } from '../../store/placement/groups.ts';
import { splitWrites } from '../../store/placement/regroup-writes.ts';
import { mapVector, subtract } from '../../vector.ts';
import { originOf, type Requester } from '../origin.ts';
import type { Runtime } from '../runtime.ts';

export interface Split {
  /** What has left, and what stays: both wait. */
  readonly part: GroupRecord;
  readonly rest: GroupRecord;
}

/** The least at which a group closes on any healthy resource that its constraints admit: such a part fits most places. */
const closeBoundFor = async (runtime: Runtime, { constraints }: GroupRecord): Promise<Vector | undefined> => {
  const { resources } = await runtime.fleet.snapshot();
  let least: Vector | undefined;
  for (const resource of resources) {
    if (resource.status !== 'healthy' || excludedBy(resource, constraints) !== undefined) continue;
    const bound = closeBoundOf(resource.capacity);
    const before = least ?? bound;
    least = mapVector((d) => Math.min(before[d], bound[d]));
  }
  return least;
};

/**
 * Splits one part off a pending group that is too large for other resources: one transaction, an event for each member
 * on its own chain. Undefined when it is not too large, holds devices, or is not as its index shows: then it waits whole.
 */
export const splitPending = async (
  runtime: Runtime,
  groupId: string,
  requester: Requester,
): Promise<Split | undefined> => {
  const group = await readGroup(runtime.store, groupId);
  if (group?.status !== 'pending' || group.count < 2 || group.devices !== undefined) return undefined;
  const closeBound = await closeBoundFor(runtime, group);
  if (closeBound === undefined) return undefined;
  const members = await membersOf(runtime.store, group.id);
  if (members.length !== group.count) return undefined;
  const byKey = new Map(members.map((member) => [`${member.tenant}#${member.id}`, member]));
  const wish = [...byKey].map(([id, { demand }]) => ({ id, demand }));
  const plan = planSplit(wish, { closeBound, membersMax: MEMBERS_PER_STEP_MAX });
  if (plan === undefined) return undefined;
  const origin = originOf(requester, runtime.clock);
  const count = plan.members.length;
  const part: GroupRecord = {
    ...group,
    ...{ id: runtime.chance.id(), epoch: 1, demand: plan.demand, count, load: count },
    ...{ runningEpoch: 0, runningCount: 0, since: origin.at, tries: undefined },
  };
  const leaving = plan.members.flatMap(({ id }, index) => {
    const allocation = byKey.get(id);
    if (allocation === undefined) return [];
    const entity = entityOf.allocation(allocation.tenant, allocation.id);
    const body = { from: group.id, group: part.id, born: index === 0 };
    const event = nextEvent(entity, allocation.chain, origin, 'allocation.regrouped', body);
    return [{ allocation, event }];
  });
  const outcome = await runtime.store.transact(splitWrites(runtime.store, { group, part, members: leaving }));
  if (outcome.kind !== 'done') return undefined;
  const demand = subtract(group.demand, plan.demand);
  return { part, rest: { ...group, demand, count: group.count - count, load: group.load + 1 } };
};
