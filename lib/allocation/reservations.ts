import type { Constraints } from '../schemas/allocation.ts';
import type { DeviceDemand } from '../schemas/devices.ts';
import { boundFor, type Candidate } from './candidate.ts';
import { ineligible } from './eligibility.ts';
import { emptied, lackOf } from './extras.ts';
import { starvesAt, type Waiting } from './pending.ts';

/**
 * A reservation holds a whole resource for one starving group: nothing else is placed there until that group is, while
 * what ends there makes room. At most so many at once, so that the fleet stays open to all others.
 *
 * Bound: a group that would fit an otherwise empty resource is placed at the latest when it starves, plus (k + 1) times
 * the longest time that anything else still runs on a resource that is held; k counts the groups that starve before
 * it. What arrives so late that it starves later does not lengthen it, of whatever class it is.
 */
export const RESERVATIONS_MAX = 4;

export type Starving = Waiting & {
  readonly constraints: Constraints;
  /** What the group takes of each of its devices, all members together. */
  readonly devices?: DeviceDemand | undefined;
};

export interface Reservation {
  readonly resource: string;
  readonly group: string;
}

export interface ReservationPlan {
  readonly hold: readonly Reservation[];
  /** No longer needed, or of no use: the group does not wait any longer, or the resource could not take it. */
  readonly drop: readonly Reservation[];
}

/** Whether a resource that held nothing else could take the group under fill. */
const couldTake = (candidate: Candidate, { demand, constraints, devices }: Starving): boolean => {
  const free = { ...emptied(candidate), reserved: undefined };
  return ineligible(free, demand, constraints, 'placement', undefined, devices) === undefined;
};

/**
 * Which resources to hold for whom. Who starves longest comes first whatever its class (the class says after how long
 * it starves), the smaller id at a tie; it gets the free resource that lacks least room for it, the smaller id at a
 * tie, and keeps it. Pure.
 */
export const planReservations = (
  starving: readonly Starving[],
  fleet: readonly Candidate[],
  now: number,
): ReservationPlan => {
  const due = starving
    .filter((one) => starvesAt(one) <= now)
    .sort((a, b) => starvesAt(a) - starvesAt(b) || (a.id < b.id ? -1 : 1));
  const byId = new Map(due.map((one) => [one.id, one]));
  const kept = new Set<string>();
  const drop: Reservation[] = [];
  for (const candidate of fleet) {
    if (candidate.reserved === undefined) continue;
    const holder = byId.get(candidate.reserved);
    if (holder !== undefined && !kept.has(holder.id) && couldTake(candidate, holder)) kept.add(holder.id);
    else drop.push({ resource: candidate.id, group: candidate.reserved });
  }
  const hold: Reservation[] = [];
  const taken = new Set<string>();
  for (const one of due) {
    if (kept.size + hold.length >= RESERVATIONS_MAX) break;
    if (kept.has(one.id)) continue;
    const resource = leastLacking(fleet, one, taken);
    if (resource === undefined) continue;
    taken.add(resource);
    hold.push({ resource, group: one.id });
  }
  return { hold, drop };
};

const leastLacking = (
  fleet: readonly Candidate[],
  one: Starving,
  taken: ReadonlySet<string>,
): string | undefined => {
  let best: { id: string; lack: number } | undefined;
  for (const candidate of fleet) {
    if (candidate.reserved !== undefined || taken.has(candidate.id) || !couldTake(candidate, one)) continue;
    const lack = lackOf(candidate, one, boundFor(candidate, 'placement'));
    if (best === undefined || lack < best.lack || (lack === best.lack && candidate.id < best.id))
      best = { id: candidate.id, lack };
  }
  return best?.id;
};
