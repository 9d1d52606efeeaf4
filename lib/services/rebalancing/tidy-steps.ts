import { closeBoundOf } from '../../allocation/groups.ts';
import { entityOf, nextEvent } from '../../audit/event.ts';
import { isTooLarge, planSplit } from '../../optimisation/split-merge.ts';
import { MEMBERS_PER_STEP_MAX, type TidyStep } from '../../optimisation/tidy.ts';
import type { Vector } from '../../schemas/common.ts';
import { readLabscape } from '../../store/fleet/labscapes.ts';
import { type ResourceRecord, readResource } from '../../store/fleet/resources.ts';
import type { AllocationRecord } from '../../store/placement/allocations.ts';
import { type GroupRecord, readGroups } from '../../store/placement/groups.ts';
import { type Regrouped, regroupWrites } from '../../store/placement/regroup-writes.ts';
import { add, sum, within } from '../../vector.ts';
import { originOf, type Requester } from '../origin.ts';
import { pauseAfterRace } from '../retry.ts';
import type { Runtime } from '../runtime.ts';
import { activeOf } from './rebalance-view.ts';
import { asMembers, groupStays, readMembers, resourceStays, type Tidy, tidyOf } from './tidy-view.ts';

/** Another transaction on the same items may come between so often. */
const TRIES_MAX = 4;

/** One transaction: what it gave over, or why it did not. */
export type Given =
  | { readonly kind: 'given'; readonly into: string; readonly members: number; readonly ended: boolean }
  | { readonly kind: 'skipped'; readonly reason: string };

const skipped = (reason: string): Given => ({ kind: 'skipped', reason });

/** The next part of a step on pictures that are read anew, under all the rules again. A lost race is tried again. */
export const giveOver = async (
  runtime: Runtime,
  step: TidyStep<Tidy>,
  /** The group that takes the members; undefined: one is born of them. */
  into: string | undefined,
  requester: Requester,
): Promise<Given> => {
  for (let attempt = 0; attempt < TRIES_MAX; attempt += 1) {
    const given = await tryOnce(runtime, step, into, requester);
    if (given !== 'again') return given;
    await pauseAfterRace(runtime, attempt);
  }
  return skipped('lost-race');
};

const tryOnce = async (
  runtime: Runtime,
  { kind, resource: id, from: { id: fromId } }: TidyStep<Tidy>,
  into: string | undefined,
  requester: Requester,
): Promise<Given | 'again'> => {
  const home = runtime.fleet.seen(id)?.labscape;
  if (home === undefined) return skipped('gone');
  const [resource, labscape, groups] = await Promise.all([
    readResource(runtime.store, home, id),
    readLabscape(runtime.store, home),
    readGroups(runtime.store, into === undefined ? [fromId] : [fromId, into]),
  ]);
  const from = groups.find((group) => group.id === fromId);
  const taker = groups.find((group) => group.id === into);
  if (resource === undefined || labscape === undefined || from === undefined) return skipped('gone');
  if (labscape.policy.rebalance.mode === 'off') return skipped('off');
  const now = runtime.clock.now();
  const stays = resourceStays(resource, labscape.policy.leaseMs, now);
  if (stays !== undefined) return skipped(stays);
  if (into !== undefined && taker === undefined) return skipped('gone');
  for (const group of groups) {
    const reason = groupStays(group, id, now);
    if (reason !== undefined) return skipped(reason);
  }
  if ((await activeOf(runtime, groups)).size > 0) return skipped('in-recovery');
  if (taker !== undefined && tidyOf(taker).kind !== tidyOf(from).kind) return skipped('another-kind');
  const members = await readMembers(runtime, from);
  if (members === undefined) return 'again';
  const leaving = leavingOf(kind, resource, { from, taker }, members);
  if (leaving === undefined) return skipped('no-longer-needed');
  return commit(runtime, { resource, from, taker, leaving }, kind, requester);
};

/** Who leaves in this transaction; undefined when the pictures have no reason for it any more. */
const leavingOf = (
  kind: TidyStep['kind'],
  { capacity }: ResourceRecord,
  { from, taker }: { readonly from: GroupRecord; readonly taker: GroupRecord | undefined },
  members: ReadonlyMap<string, AllocationRecord>,
): readonly AllocationRecord[] | undefined => {
  const closeBound = closeBoundOf(capacity);
  if (kind === 'merge') {
    const fits = taker !== undefined && within(add(taker.demand, from.demand), closeBound);
    return fits ? [...members.values()].slice(0, MEMBERS_PER_STEP_MAX) : undefined;
  }
  if (!isTooLarge(from, closeBound)) return undefined;
  const bounds = { closeBound, beside: taker?.demand, membersMax: MEMBERS_PER_STEP_MAX };
  return planSplit(asMembers(members), bounds)?.members.flatMap(({ id }) => members.get(id) ?? []);
};

interface Parties {
  readonly resource: ResourceRecord;
  readonly from: GroupRecord;
  readonly taker: GroupRecord | undefined;
  readonly leaving: readonly AllocationRecord[];
}

/** How many of those that leave the taker may count as running; what its agent says next counts in any case. */
const runningOf = ({ from, taker, leaving }: Parties): number => {
  const isKnown = (group: GroupRecord): boolean => group.runningEpoch === group.epoch;
  if (!isKnown(from) || (taker !== undefined && !isKnown(taker))) return 0;
  if (leaving.length === from.count) return Math.min(from.runningCount, from.count);
  return from.runningCount >= from.count ? leaving.length : 0;
};

/** The group that is born of a part: of the same nature, and with an owner and an epoch of its own. */
const bornOf = (id: string, parties: Parties, demand: Vector, since: number): GroupRecord => {
  const { from, leaving } = parties;
  const [count, running] = [leaving.length, runningOf(parties)];
  const { resource, labscape, class: cls, kind, constraints } = from;
  return {
    ...{ id, resource, labscape, class: cls, kind, constraints, demand, count, load: count, since },
    ...{ epoch: 1, status: 'placed', recovery: undefined, reason: undefined },
    ...{ runningEpoch: running > 0 ? 1 : 0, runningCount: running },
    ...{ heldUntil: undefined, heldBy: undefined },
  };
};

const commit = async (
  runtime: Runtime,
  parties: Parties,
  tidy: TidyStep['kind'],
  requester: Requester,
): Promise<Given | 'again'> => {
  const { resource, from, taker, leaving } = parties;
  const origin = originOf(requester, runtime.clock);
  const demand = sum(leaving.map((member) => member.demand));
  const group = taker ?? bornOf(runtime.chance.id(), parties, demand, origin.at);
  const ended = leaving.length === from.count;
  const members = leaving.map((allocation, index): Regrouped => {
    const entity = entityOf.allocation(allocation.tenant, allocation.id);
    const body = {
      ...{ from: from.id, group: group.id, resource: resource.id, tidy },
      // One of them tells of the birth, and the last of the end.
      ...{ born: taker === undefined && index === 0, closed: ended && index === leaving.length - 1 },
    };
    return {
      allocation,
      event: nextEvent(entity, allocation.chain, origin, 'allocation.regrouped', body),
    };
  });
  const outcome = await runtime.store.transact(
    regroupWrites(runtime.store, {
      ...{ resource, from, members, demand, at: origin.at },
      into: { kind: taker === undefined ? 'born' : 'open', group },
      running: runningOf(parties),
    }),
  );
  if (outcome.kind !== 'done') return 'again';
  const stay = resource.groups.filter((ref) => !ended || ref.group !== from.id);
  runtime.fleet.learn({
    ...resource,
    groups: taker === undefined ? [...stay, { kind: group.kind, group: group.id }] : stay,
    assignmentRevision: resource.assignmentRevision + 1,
    tidiedAt: origin.at,
  });
  return { kind: 'given', into: group.id, members: leaving.length, ended };
};
