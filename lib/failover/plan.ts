import type { Constraints } from '../schemas/allocation.ts';
import { CLASSES, type Class, type Vector } from '../schemas/common.ts';
import type { WorkData } from '../schemas/data.ts';
import type { DeviceDemand } from '../schemas/devices.ts';
import type { ResourceStatus } from '../schemas/resource.ts';
import { add, dominantShare } from '../vector.ts';
import { Filling, type Judge } from './filling.ts';

/** A group that must leave its resource. */
export interface MovableGroup {
  readonly id: string;
  readonly epoch: number;
  readonly load: number;
  readonly count: number;
  readonly class: Class;
  readonly kind: string;
  readonly constraints: Constraints;
  /** What each member asks for, and the devices that the group has of its owner. */
  readonly devices?: DeviceDemand | undefined;
  readonly deviceMap?: readonly number[] | undefined;
  /** What it needs, and where copies are. */
  readonly data?: WorkData | undefined;
  readonly demand: Vector;
  readonly labscape: string | undefined;
  /** An owner before may still run it until then, epoch ms. */
  readonly heldUntil: number | undefined;
}

/** A resource that may take groups; a record of the fleet is one as it is, so that nothing is copied for a plan. */
export interface Target {
  readonly id: string;
  readonly labscape: string;
  readonly status: ResourceStatus;
  readonly cfg: number;
  readonly limit: Vector;
  readonly used: Vector;
  readonly groups: readonly unknown[];
}

export interface PlannedMove {
  readonly group: MovableGroup;
  readonly to: string;
  /** The devices it gets there. */
  readonly deviceMap?: readonly number[] | undefined;
}
export interface Unplaced {
  readonly group: MovableGroup;
  readonly reason: string;
}
/** Where a plan made for several recoveries at once wants a group, or why it lets it wait. */
export type Wish = { readonly to: string } | { readonly waits: string };
/** By group. */
export type Wishes = ReadonlyMap<string, Wish>;
export const NO_WISHES: Wishes = new Map();

export interface FailoverPlan {
  readonly moves: readonly PlannedMove[];
  readonly unplaced: readonly Unplaced[];
  /** Targets used, in the order they were opened. */
  readonly targets: readonly Target[];
}

/** The rule that a target must pass, supplied by the caller, which knows the constraints. It refuses what passes the limit. */
export type Admits<T extends Target = Target> = Judge<T, MovableGroup>;

/** Whether another target would be better for a group that wants to be apart, though this one may take it. */
export type Crowded<T extends Target = Target> = (
  target: T,
  group: MovableGroup,
  brought: readonly MovableGroup[],
) => boolean;

/** How many of the emptiest targets are tried before the whole fleet is searched. */
const SHORTLIST_SIZE = 64;

export const byUrgencyThenSize =
  (limit: Vector) =>
  (a: MovableGroup, b: MovableGroup): number =>
    CLASSES.indexOf(a.class) - CLASSES.indexOf(b.class) ||
    dominantShare(b.demand, limit) - dominantShare(a.demand, limit) ||
    (a.id < b.id ? -1 : 1);

/** Emptiest first by dominant share of the limit, the smaller id at a tie; their places; one pass. */
const emptiest = <T extends Target>(fleet: readonly T[], most: number): number[] => {
  const kept: { place: number; id: string; share: number }[] = [];
  for (const [place, { status, id, used, limit }] of fleet.entries()) {
    if (status !== 'healthy') continue;
    const share = dominantShare(used, limit);
    const last = kept[kept.length - 1];
    if (kept.length >= most && last !== undefined && share >= last.share) continue;
    let at = kept.length;
    while (at > 0) {
      const before = kept[at - 1];
      if (before === undefined || before.share < share || (before.share === share && before.id < id)) break;
      at -= 1;
    }
    kept.splice(at, 0, { place, id, share });
    if (kept.length > most) kept.pop();
  }
  return kept.map(({ place }) => place);
};

/**
 * Plans where every group of one failed resource goes: first-fit decreasing, most urgent class first, into as few
 * targets as possible (a target is opened only when none of the opened ones takes the group), because each target
 * costs an item in the one transaction. The emptiest resource is opened first. Pure: same snapshot, same plan.
 *
 * @param groups what ran on the failed resource
 * @param fleet  all other resources, as last seen
 * @param admits the rule a target must pass; `undefined` admits
 * @param crowded asked for groups with a spread key: a target where it is not goes before all where it is
 * @param wishes where a joint plan wants groups: they go there if they may, and wait where it lets them wait
 */
export const planFailover = <T extends Target>(
  groups: readonly MovableGroup[],
  fleet: readonly T[],
  capacity: Vector,
  admits: Admits<T>,
  crowded: Crowded<T> = () => false,
  wishes: Wishes = NO_WISHES,
): FailoverPlan => {
  const wished = wishedPlaces(fleet, wishes);
  const shortlist = emptiest(fleet, SHORTLIST_SIZE);
  const filling = new Filling(fleet, admits);
  const opened: number[] = [];
  const moves: PlannedMove[] = [];
  const unplaced: Unplaced[] = [];
  for (const group of [...groups].sort(byUrgencyThenSize(capacity))) {
    const wish = wishes.get(group.id);
    if (wish !== undefined && 'waits' in wish) {
      unplaced.push({ group, reason: wish.waits });
      continue;
    }
    let crowdedOne: number | undefined;
    const suits = (place: number): boolean => {
      if (filling.refusal(place, group) !== undefined) return false;
      if (group.constraints.spread === undefined) return true;
      if (!crowded(filling.at(place), group, filling.broughtTo(place))) return true;
      crowdedOne ??= place;
      return false;
    };
    const inFleet = (): number | undefined => {
      for (let place = 0; place < fleet.length; place++)
        if (filling.hasRoom(place, group.demand) && suits(place)) return place;
      return undefined;
    };
    const asked = wish === undefined ? undefined : wished.get(wish.to);
    const own = asked !== undefined && filling.refusal(asked, group) === undefined ? asked : undefined;
    const place = own ?? opened.find(suits) ?? shortlist.find(suits) ?? inFleet() ?? crowdedOne;
    if (place === undefined) {
      unplaced.push({ group, reason: filling.telling(group) });
      continue;
    }
    filling.bring(place, group);
    if (!opened.includes(place)) opened.push(place);
    moves.push({ group, to: filling.at(place).id });
  }
  return { moves, unplaced, targets: opened.map((place) => filling.at(place)) };
};

/** The places in the fleet of the resources that are wished for, by id. */
export const wishedPlaces = <T extends Target>(
  fleet: readonly T[],
  wishes: Wishes,
): ReadonlyMap<string, number> => {
  if (wishes.size === 0) return new Map();
  const asked = new Set([...wishes.values()].flatMap((wish) => ('to' in wish ? [wish.to] : [])));
  return new Map(fleet.flatMap(({ id }, place): [string, number][] => (asked.has(id) ? [[id, place]] : [])));
};

/** What each target gains: the amounts of the transaction's target updates. */
export const gainsOf = (
  moves: readonly PlannedMove[],
): ReadonlyMap<string, { demand: Vector; groups: readonly MovableGroup[] }> => {
  const gains = new Map<string, { demand: Vector; groups: MovableGroup[] }>();
  for (const { group, to } of moves) {
    const gain = gains.get(to);
    if (gain === undefined) gains.set(to, { demand: group.demand, groups: [group] });
    else {
      gain.demand = add(gain.demand, group.demand);
      gain.groups.push(group);
    }
  }
  return gains;
};
