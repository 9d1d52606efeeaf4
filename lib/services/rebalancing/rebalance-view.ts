import { isProtectedKind } from '../../allocation/groups.ts';
import { isEnded } from '../../failover/recovery-status.ts';
import type { Goal } from '../../optimisation/goal.ts';
import { emptiedHosts } from '../../optimisation/goals/emptied-hosts.ts';
import {
  EXPECTED_MAX,
  type ExpectedDemand,
  lessFragmentation,
} from '../../optimisation/goals/less-fragmentation.ts';
import { lowerMaximum } from '../../optimisation/goals/lower-maximum.ts';
import { DIMENSIONS } from '../../schemas/common.ts';
import type { GoalName } from '../../schemas/rebalance.ts';
import { keys } from '../../store/keys.ts';
import { type GroupRecord, readGroups } from '../../store/placement/groups.ts';
import { decodeRecovery } from '../../store/recovery/recoveries.ts';
import { dominantShare, leastShare, mapVector, sum } from '../../vector.ts';
import type { FleetResource } from '../fleet.ts';
import type { Runtime } from '../runtime.ts';
import type { Movable } from './rebalance-plan.ts';

/** Groups read for one step: of the resources that the goal would look at first. The others are targets all the same. */
const GROUPS_READ_MAX = 2_000;

const shareOf = ({ used, fill }: FleetResource): number => dominantShare(used, fill);

/** Greater: looked at earlier. Emptied hosts begin with what holds little, the others with what is full or lopsided. */
const INTEREST: Readonly<Record<GoalName, (resource: FleetResource) => number>> = {
  'lower-maximum': shareOf,
  'less-fragmentation': (resource) => shareOf(resource) - leastShare(resource.used, resource.fill),
  'emptied-hosts': (resource) => -shareOf(resource),
};

/** The resources whose groups are read; the smaller id first at a tie. */
const sourcesFor = (goal: GoalName, resources: readonly FleetResource[]): readonly FleetResource[] => {
  const interest = INTEREST[goal];
  const sources = resources
    .filter(
      ({ status, recovery, moving, groups }) =>
        status === 'healthy' && recovery === undefined && !moving && groups.length > 0,
    )
    .map((resource) => ({ resource, rank: interest(resource) }))
    .sort((a, b) => b.rank - a.rank || (a.resource.id < b.resource.id ? -1 : 1));
  const chosen: FleetResource[] = [];
  let groups = 0;
  for (const { resource } of sources) {
    groups += resource.groups.length;
    if (groups > GROUPS_READ_MAX) break;
    chosen.push(resource);
  }
  return chosen;
};

/** Of the recoveries that these groups were moved by, those that have not ended. */
export const activeOf = async (
  runtime: Runtime,
  groups: readonly GroupRecord[],
): Promise<ReadonlySet<string>> => {
  const named = [...new Set(groups.flatMap(({ recovery }) => (recovery === undefined ? [] : [recovery])))];
  const found = (await runtime.store.getMany(named.map(keys.recovery))).map(decodeRecovery);
  return new Set(found.filter(({ status }) => !isEnded(status)).map(({ id }) => id));
};

/** Why a group must stay where it is for now; undefined when it may be moved. */
export const staysFor = (
  group: GroupRecord,
  source: string,
  active: ReadonlySet<string>,
  now: number,
): string | undefined => {
  if (group.status !== 'placed' || group.resource !== source) return 'moved-since';
  if (group.recovery !== undefined && active.has(group.recovery)) return 'in-recovery';
  if ((group.waitsFor ?? []).length > 0) return 'waits-for-room';
  // Its data are where it is: no balance is worth moving them.
  if (group.data?.required === true) return 'data';
  // Its owner before may still run it: a second hold would forget the first.
  if (group.heldUntil !== undefined && group.heldUntil > now) return 'held';
  return undefined;
};

export interface MovableView {
  readonly groups: readonly Movable[];
  /** Those that were looked at and must stay, by reason. */
  readonly leftAlone: Readonly<Record<string, number>>;
}

/** The groups that may be moved, consistently read, off the resources that matter most for the goal. */
export const readMovable = async (
  runtime: Runtime,
  goal: GoalName,
  resources: readonly FleetResource[],
): Promise<MovableView> => {
  const leftAlone: Record<string, number> = {};
  const leave = (reason: string): void => {
    leftAlone[reason] = (leftAlone[reason] ?? 0) + 1;
  };
  const homes = new Map<string, string>();
  for (const resource of resources)
    if (resource.status !== 'healthy' || resource.recovery !== undefined)
      for (const _ of resource.groups) leave('not-healthy');
  for (const resource of sourcesFor(goal, resources))
    for (const { kind, group } of resource.groups) {
      if (isProtectedKind(kind)) leave('protected');
      else homes.set(group, resource.id);
    }
  const read = await readGroups(runtime.store, [...homes.keys()]);
  const active = await activeOf(runtime, read);
  const now = runtime.clock.now();
  const groups: Movable[] = [];
  for (const group of read) {
    const home = homes.get(group.id) ?? '';
    const reason = staysFor(group, home, active, now);
    if (reason === undefined) groups.push({ ...group, resource: home });
    else leave(reason);
  }
  return { groups: groups.sort((a, b) => (a.id < b.id ? -1 : 1)), leftAlone };
};

/** What runs now is what is expected: the demand of one member of each group, by how many there are of it. */
const expectedFrom = (groups: readonly GroupRecord[]): readonly ExpectedDemand[] => {
  const kinds = new Map<string, ExpectedDemand>();
  for (const { demand, count } of groups) {
    const one = mapVector((d) => Math.ceil(demand[d] / Math.max(1, count)));
    const key = DIMENSIONS.map((d) => one[d]).join();
    kinds.set(key, { demand: one, weight: (kinds.get(key)?.weight ?? 0) + count });
  }
  return [...kinds]
    .sort(([a, { weight: most }], [b, { weight: other }]) => other - most || (a < b ? -1 : 1))
    .slice(0, EXPECTED_MAX)
    .map(([, expected]) => expected);
};

/** The goal of that name; less fragmentation is measured by the work that this fleet holds. */
export const goalOf = (
  name: GoalName,
  resources: readonly FleetResource[],
  groups: readonly GroupRecord[],
): Goal => {
  if (name === 'lower-maximum') return lowerMaximum;
  if (name === 'emptied-hosts') return emptiedHosts;
  const fills = resources.filter(({ status }) => status === 'healthy').map(({ fill }) => fill);
  const total = sum(fills);
  return lessFragmentation(
    expectedFrom(groups),
    mapVector((d) => total[d] / Math.max(1, fills.length)),
  );
};
