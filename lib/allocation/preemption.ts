import type { Constraints } from '../schemas/allocation.ts';
import { CLASSES, type Class, DIMENSIONS, type Vector } from '../schemas/common.ts';
import type { DeviceDemand } from '../schemas/devices.ts';
import { spreadMark } from '../spread.ts';
import { dominantShare } from '../vector.ts';
import { boundFor, type Candidate, type Purpose } from './candidate.ts';
import { type Beyond, cheapestCover } from './cover.ts';
import { fitDevices } from './devices.ts';
import { ineligible } from './eligibility.ts';
import { emptied, heldAfter, lackOf, leaving, type Seated } from './extras.ts';
import { classOfKind, GROUPS_BORN_MAX, GROUPS_HELD_MAX, isProtectedKind } from './groups.ts';

/** Classes that may pre-empt at all. */
export const PREEMPTING: readonly Class[] = ['critical', 'high'];

/** One of a class weighs as much as four alike of the class below. */
const CLASS_WEIGHT: Readonly<Record<Class, number>> = { low: 1, normal: 4, high: 16, critical: 64 };
/** Of the capacity, for each allocation: many small ones are as much trouble as a large one. */
const ALLOCATION_SHARE = 0.01;

/** A group as pre-emption sees it. */
export interface Occupant extends Seated {
  /** Class, protection and profile, see groups.ts. */
  readonly kind: string;
  readonly class: Class;
  readonly demand: Vector;
}

export interface PreemptionRequest {
  readonly demand: Vector;
  readonly class: Class;
  readonly constraints: Constraints;
  readonly purpose: Purpose;
  /** Of the whole group that comes. */
  readonly devices?: DeviceDemand | undefined;
}

export interface Preemption<C extends Candidate, G extends Occupant> {
  readonly candidate: C;
  /** Who has to wait, by id; none of them can be left out. */
  readonly victims: readonly G[];
  readonly cost: number;
}

const isLower = (of: Class, than: Class): boolean => CLASSES.indexOf(of) > CLASSES.indexOf(than);

/** Strictly lower and not protected. */
const mayYield = (kind: string, to: Class): boolean =>
  !isProtectedKind(kind) && isLower(classOfKind(kind), to);

/**
 * What it costs to make a group wait, without unit: its class's weight × (its dominant share of the resource's capacity +
 * a share per allocation).
 */
export const costOf = (group: Occupant, capacity: Vector): number =>
  CLASS_WEIGHT[group.class] * (dominantShare(group.demand, capacity) + ALLOCATION_SHARE * group.count);

/** What must go, by dimension, and how many groups; 0 where there is room. */
const needOf = (candidate: Candidate, { demand, purpose }: PreemptionRequest): readonly number[] => {
  const bound = boundFor(candidate, purpose);
  const most = purpose === 'failover' ? GROUPS_HELD_MAX : GROUPS_BORN_MAX;
  return [
    ...DIMENSIONS.map((d) => (demand[d] === 0 ? 0 : Math.max(0, candidate.used[d] + demand[d] - bound[d]))),
    // The newcomer is a group of its own.
    Math.max(0, candidate.groups.length + 1 - most),
  ];
};

/**
 * Resources that could take the demand if lower groups made room: all else about them is right. Those that lack least
 * (as a share of the bound, or of their devices) come first, the smaller id at a tie.
 */
export const preemptable = <C extends Candidate>(
  fleet: readonly C[],
  request: PreemptionRequest,
  most: number,
): readonly C[] => {
  const { demand, constraints, purpose, devices } = request;
  const found: { candidate: C; lack: number }[] = [];
  for (const candidate of fleet) {
    if (!candidate.groups.some(({ kind }) => mayYield(kind, request.class))) continue;
    const free = emptied(candidate);
    if (ineligible(free, demand, constraints, purpose, undefined, devices) !== undefined) continue;
    found.push({ candidate, lack: lackOf(candidate, request, boundFor(candidate, purpose)) });
  }
  found.sort((a, b) => a.lack - b.lack || (a.candidate.id < b.candidate.id ? -1 : 1));
  return found.slice(0, most).map(({ candidate }) => candidate);
};

interface Yielding<G extends Occupant> {
  readonly group: G;
}

/** Devices with room and a hard key that nobody keeps: whether these groups' leaving brings them. */
const beyondOf = <G extends Occupant>(
  candidate: Candidate,
  { constraints: { spread }, devices }: PreemptionRequest,
): Beyond<Yielding<G>> => {
  const key = spread?.hard === true ? spread.key : undefined;
  const keeps = ({ group }: Yielding<G>): boolean => spreadMark(group)?.entry === key;
  const isKept = key !== undefined && candidate.spread?.includes(key) === true;
  const hasDevices = (leavers: readonly G[]): boolean => {
    if (devices === undefined) return true;
    const going = leaving(candidate, leavers);
    if (going === undefined) return false;
    const left = { ...candidate, ...heldAfter(candidate, going, 'left') };
    return 'map' in fitDevices(left.devices, devices);
  };
  const lacksDevices = !hasDevices([]);
  return {
    reached: (taken) =>
      (!isKept || taken.some(keeps)) && (!lacksDevices || hasDevices(taken.map(({ group }) => group))),
    use: (one) =>
      (isKept && keeps(one) ? 1 : 0) + (lacksDevices && (one.group.deviceMap?.length ?? 0) > 0 ? 1 : 0),
  };
};

/**
 * The cheapest set of strictly lower, unprotected groups of one resource that makes room for the request there;
 * undefined when none does, or none is needed. Devices and spread keys that they give back are room, too.
 */
const preemptOn = <C extends Candidate, G extends Occupant>(
  candidate: C,
  groups: readonly G[],
  request: PreemptionRequest,
): Preemption<C, G> | undefined => {
  const need = needOf(candidate, request);
  const beyond = beyondOf<G>(candidate, request);
  if (need.every((amount) => amount === 0) && beyond.reached([])) return undefined;
  const yielding = groups
    .filter((group) => mayYield(group.kind, request.class))
    .map((group) => ({
      id: group.id,
      cost: costOf(group, candidate.capacity),
      makes: [...DIMENSIONS.map((d) => group.demand[d]), 1],
      group,
    }));
  const cover = cheapestCover(yielding, need, beyond);
  if (cover === undefined) return undefined;
  return {
    candidate,
    victims: cover.map(({ group }) => group).sort((a, b) => (a.id < b.id ? -1 : 1)),
    cost: cover.reduce((total, { cost }) => total + cost, 0),
  };
};

/** The cheapest over the given resources; fewer groups, then the smaller id of the resource at a tie. Pure. */
export const planPreemption = <C extends Candidate, G extends Occupant>(
  options: readonly { readonly candidate: C; readonly groups: readonly G[] }[],
  request: PreemptionRequest,
): Preemption<C, G> | undefined => {
  if (!PREEMPTING.includes(request.class)) return undefined;
  let best: Preemption<C, G> | undefined;
  for (const { candidate, groups } of options) {
    const found = preemptOn(candidate, groups, request);
    if (found !== undefined && (best === undefined || isCheaper(found, best))) best = found;
  }
  return best;
};

type Priced = Preemption<Candidate, Occupant>;

const isCheaper = (a: Priced, b: Priced): boolean => {
  if (a.cost !== b.cost) return a.cost < b.cost;
  if (a.victims.length !== b.victims.length) return a.victims.length < b.victims.length;
  return a.candidate.id < b.candidate.id;
};
