import { closeBoundOf, GROUPS_BORN_MAX } from '../../allocation/groups.ts';
import { isLeaving } from '../../failover/fencing.ts';
import { isTooLarge, type Member } from '../../optimisation/split-merge.ts';
import type { TidyResource } from '../../optimisation/tidy.ts';
import type { ResourceRecord } from '../../store/fleet/resources.ts';
import { type AllocationRecord, membersOf } from '../../store/placement/allocations.ts';
import { type GroupRecord, readGroups } from '../../store/placement/groups.ts';
import type { Runtime } from '../runtime.ts';
import { activeOf } from './rebalance-view.ts';

/** Groups read for one step, of the resources that hold most; and too large ones whose members are read. */
const GROUPS_READ_MAX = 2_000;
const LARGE_READ_MAX = 16;

/** A group as tidying compares it: of one kind are those that were born with the same of everything. */
export interface Tidy {
  readonly id: string;
  readonly kind: string;
  readonly demand: GroupRecord['demand'];
  readonly count: number;
  readonly group: GroupRecord;
}

/** The profile in a kind is a short hash: constraints are compared as they are. */
export const tidyOf = (group: GroupRecord): Tidy => ({
  ...{ id: group.id, demand: group.demand, count: group.count, group },
  kind: `${group.kind}.${JSON.stringify(group.constraints)}`,
});

const memberKey = ({ tenant, id }: Pick<AllocationRecord, 'tenant' | 'id'>): string => `${tenant}#${id}`;

/** Members by key, and in its order; undefined while the index lags behind the group. */
export const readMembers = async (
  runtime: Runtime,
  group: GroupRecord,
): Promise<ReadonlyMap<string, AllocationRecord> | undefined> => {
  const found = await membersOf(runtime.store, group.id);
  if (found.length !== group.count) return undefined;
  return new Map(
    found
      .map((member): [string, AllocationRecord] => [memberKey(member), member])
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
};

export const asMembers = (members: ReadonlyMap<string, AllocationRecord>): readonly Member[] =>
  [...members].map(([id, { demand }]) => ({ id, demand }));

/** Why all groups of a resource are left as they are for now; undefined when they may be tidied. */
export const resourceStays = (
  { status, recovery, moving, left }: ResourceRecord,
  leaseMs: number,
  now: number,
): string | undefined => {
  if (status !== 'healthy' || recovery !== undefined || moving) return 'not-healthy';
  // Its agent must hear of that first, and may have little time.
  return isLeaving(left, leaseMs, now) ? 'left-lately' : undefined;
};

/** Reasons that do not pass with time. */
export const STAYS_FOR_GOOD: ReadonlySet<string> = new Set(['devices', 'data', 'spread']);

/** Why one group keeps its members; undefined when it may give and take some. */
export const groupStays = (group: GroupRecord, owner: string, now: number): string | undefined => {
  if (group.status !== 'placed' || group.resource !== owner) return 'moved-since';
  if ((group.waitsFor ?? []).length > 0) return 'waits-for-room';
  // An owner before may still run it; a clock that was set forward ends a hold too early.
  const isOver = group.heldUntil !== undefined && group.heldUntil <= now;
  if (group.heldUntil !== undefined && !(isOver && group.runningEpoch >= group.epoch)) return 'held';
  // Its members share devices, or its own mark keeps it apart from others.
  if (group.devices !== undefined) return 'devices';
  if (group.data !== undefined) return 'data';
  return group.constraints.spread === undefined ? undefined : 'spread';
};

export interface TidyView {
  readonly resources: readonly TidyResource<Tidy>[];
  /** Groups that were looked at and are left as they are, by reason. */
  readonly leftAlone: Readonly<Record<string, number>>;
}

/** Counts what is left alone, by reason. */
class LeftAlone {
  readonly byReason: Record<string, number> = {};

  add(reason: string, count = 1): void {
    if (count > 0) this.byReason[reason] = (this.byReason[reason] ?? 0) + count;
  }
}

/** Those whose groups are read: they hold most of all that may be tidied. */
const chosenOf = (
  candidates: readonly ResourceRecord[],
  stays: (resource: ResourceRecord) => string | undefined,
  leftAlone: LeftAlone,
): readonly ResourceRecord[] => {
  const chosen: ResourceRecord[] = [];
  let reading = 0;
  for (const resource of candidates.toSorted(
    (a, b) => b.groups.length - a.groups.length || (a.id < b.id ? -1 : 1),
  )) {
    const { length } = resource.groups;
    const reason = stays(resource) ?? (reading + length > GROUPS_READ_MAX ? 'not-read' : undefined);
    if (reason !== undefined) leftAlone.add(reason, length);
    else {
      chosen.push(resource);
      reading += length;
    }
  }
  return chosen;
};

/** The groups of these resources that may be tidied, consistently read; of at most so many, those that hold most first. */
export const readTidy = async (
  runtime: Runtime,
  candidates: readonly ResourceRecord[],
  leaseMsOf: (labscape: string) => number,
): Promise<TidyView> => {
  const leftAlone = new LeftAlone();
  const now = runtime.clock.now();
  const stays = (one: ResourceRecord) => resourceStays(one, leaseMsOf(one.labscape), now);
  const chosen = chosenOf(candidates, stays, leftAlone);
  const ids = chosen.flatMap(({ groups }) => groups.map(({ group }) => group));
  const read = await readGroups(runtime.store, ids);
  const active = await activeOf(runtime, read);
  const byId = new Map(read.map((group) => [group.id, group]));
  const resources: TidyResource<Tidy>[] = [];
  let largeLeft = LARGE_READ_MAX;
  for (const resource of chosen) {
    const own = resource.groups.flatMap(({ group }) => byId.get(group) ?? []);
    // Its recovery counts these groups, and waits for the word that they run.
    if (own.some(({ recovery }) => recovery !== undefined && active.has(recovery))) {
      leftAlone.add('in-recovery', own.length);
      continue;
    }
    const groups: Tidy[] = [];
    for (const group of own) {
      const reason = groupStays(group, resource.id, now);
      if (reason === undefined) groups.push(tidyOf(group));
      else leftAlone.add(reason);
    }
    const closeBound = closeBoundOf(resource.capacity);
    const members = new Map<string, readonly Member[]>();
    for (const { id, group } of groups.filter((one) => isTooLarge(one, closeBound))) {
      const found = largeLeft > 0 ? await readMembers(runtime, group) : undefined;
      largeLeft -= 1;
      if (found === undefined) leftAlone.add('members-unknown');
      else members.set(id, asMembers(found));
    }
    const { length: held } = resource.groups;
    resources.push({ id: resource.id, closeBound, held, bornMax: GROUPS_BORN_MAX, groups, members });
  }
  return { resources, leftAlone: leftAlone.byReason };
};
