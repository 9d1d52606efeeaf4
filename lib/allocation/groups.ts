import type { Constraints } from '../schemas/allocation.ts';
import type { Class, Vector } from '../schemas/common.ts';
import { CLASSES, DIMENSIONS } from '../schemas/common.ts';
import type { DeviceDemand } from '../schemas/devices.ts';
import { mapVector } from '../vector.ts';

/** A group closes to new members at this share of its resource's capacity, so that it fits elsewhere. */
const GROUP_CLOSE_SHARE = 0.04;
/** Most groups that placement may give birth to on one resource. */
export const GROUPS_BORN_MAX = 24;
/** Most groups a resource may hold; the rest of the room is for groups that failovers bring. */
export const GROUPS_HELD_MAX = 48;

const CLASS_CODES: Record<Class, string> = { critical: 'c', high: 'h', normal: 'n', low: 'l' };

/**
 * What a resource remembers of each of its groups: `code.profile.group`, enough to find a group to join without
 * reading it.
 */
export interface GroupRef {
  readonly kind: string;
  readonly group: string;
}

/** Follows the class's code where a group is protected from pre-emption. */
const PROTECTED = 'p';

/**
 * Class, protection and constraint profile in one word: the members of a group share it. What is protected is a group
 * of its own kind, so that a resource's own item says which of its groups may be made to wait.
 */
export const kindOf = (cls: Class, profile: string, isProtected = false): string =>
  `${CLASS_CODES[cls]}${isProtected ? PROTECTED : ''}.${profile}`;

export const isProtectedKind = (kind: string): boolean => kind[1] === PROTECTED;

/** Throws on what kindOf never made. */
export const classOfKind = (kind: string): Class => {
  const found = CLASSES.find((cls) => CLASS_CODES[cls] === kind[0]);
  if (found === undefined) throw new Error(`${kind} is no kind of a group`);
  return found;
};

/** An entry of a resource's set `groupIds`: `class.profile.group`, a `p` behind the class where it is protected. */
export const encodeGroupRef = (ref: GroupRef): string => `${ref.kind}.${ref.group}`;

export const decodeGroupRef = (text: string): GroupRef => {
  const cut = text.lastIndexOf('.');
  return { kind: text.slice(0, cut), group: text.slice(cut + 1) };
};

/** Demand at which a group on a resource of this capacity takes no more members; never 0, or nothing could join. */
export const closeBoundOf = (capacity: Vector): Vector =>
  mapVector((d) => Math.max(1, Math.floor(capacity[d] * GROUP_CLOSE_SHARE)));

/** A demand that alone reaches the bound is a group of its own. */
export const isLarge = (demand: Vector, closeBound: Vector): boolean =>
  DIMENSIONS.some((d) => demand[d] >= closeBound[d]);

/** Constraints that mean the same give the same text, whatever the order they were written in. */
export const canonicalConstraints = (constraints: Constraints): string =>
  JSON.stringify([
    [...new Set(constraints.labscapes ?? [])].sort(),
    [...new Set(constraints.notLabscapes ?? [])].sort(),
    Object.entries(constraints.labels ?? {}).sort(([a], [b]) => (a < b ? -1 : 1)),
    [...new Set(constraints.residency ?? [])].sort(),
    constraints.spread === undefined ? [] : [constraints.spread.key, constraints.spread.hard],
  ]);

/** The same for devices. */
export const canonicalDevices = ({ count, milli, models }: DeviceDemand): string =>
  JSON.stringify([count, milli, [...new Set(models ?? [])].sort()]);
