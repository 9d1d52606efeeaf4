import type { Constraints } from '../schemas/allocation.ts';
import { DIMENSIONS, type Vector } from '../schemas/common.ts';
import type { DeviceDemand } from '../schemas/devices.ts';
import { boundFor, type Candidate, type Purpose } from './candidate.ts';
import { type DeviceRefusal, fitDevices } from './devices.ts';
import { GROUPS_BORN_MAX, GROUPS_HELD_MAX } from './groups.ts';

/** Why a resource cannot take a demand now. */
export type Ineligible =
  | 'not-healthy'
  | 'labscape-excluded'
  | 'labscape-quarantined'
  | 'label-missing'
  | 'no-room-processing'
  | 'no-room-memory'
  | 'no-room-storage'
  | 'no-room-network'
  | DeviceRefusal
  | 'residency-excluded'
  | 'spread-taken'
  | 'too-many-groups'
  | 'reserved'
  | 'in-probation';

/** What the constraints alone say, whatever is used. */
export const excludedBy = (
  candidate: Pick<Candidate, 'labscape' | 'labels' | 'residency' | 'spread'>,
  constraints: Constraints,
): Ineligible | undefined => {
  if (constraints.labscapes !== undefined && !constraints.labscapes.includes(candidate.labscape))
    return 'labscape-excluded';
  if (constraints.notLabscapes?.includes(candidate.labscape)) return 'labscape-excluded';
  for (const key in constraints.labels) {
    if (candidate.labels[key] !== constraints.labels[key]) return 'label-missing';
  }
  const { residency, spread } = constraints;
  if (
    residency !== undefined &&
    (candidate.residency === undefined || !residency.includes(candidate.residency))
  )
    return 'residency-excluded';
  // Hard rules bind each other; towards a soft one of the same key being apart is a preference.
  if (spread?.hard === true && candidate.spread?.includes(spread.key)) return 'spread-taken';
  return undefined;
};

const deviceRefusal = (
  { devices: bank }: Pick<Candidate, 'devices'>,
  demand: DeviceDemand | undefined,
): Ineligible | undefined => {
  if (demand === undefined) return undefined;
  const fit = fitDevices(bank, demand);
  return 'refused' in fit ? fit.refused : undefined;
};

/** Whether a failover may bring a group here, given what it has brought already; undefined when it may. */
export const refusesGroup = (
  candidate: Pick<Candidate, 'labscape' | 'labels' | 'residency' | 'spread' | 'devices' | 'limit' | 'status'>,
  demand: Vector,
  constraints: Constraints,
  used: Vector,
  held: number,
  devices?: DeviceDemand,
): Ineligible | undefined => {
  if (candidate.status !== 'healthy') return 'not-healthy';
  const excluded = excludedBy(candidate, constraints);
  if (excluded !== undefined) return excluded;
  for (const d of DIMENSIONS) {
    if (demand[d] > 0 && used[d] + demand[d] > candidate.limit[d]) return `no-room-${d}`;
  }
  const device = deviceRefusal(candidate, devices);
  if (device !== undefined) return device;
  return held >= GROUPS_HELD_MAX ? 'too-many-groups' : undefined;
};

/** Undefined when the resource can take the demand. `kind` lets a full resource still take members into a group. */
export const ineligible = (
  candidate: Candidate,
  demand: Vector,
  constraints: Constraints,
  purpose: Purpose,
  kind?: string,
  devices?: DeviceDemand,
): Ineligible | undefined => {
  if (candidate.status !== 'healthy') return 'not-healthy';
  const excluded = excludedBy(candidate, constraints);
  if (excluded !== undefined) return excluded;
  if (purpose === 'placement' && candidate.quarantined === true) return 'labscape-quarantined';
  if (purpose === 'placement' && candidate.reserved !== undefined) return 'reserved';
  if (purpose === 'placement' && candidate.eased?.share === 0) return 'in-probation';
  const bound = boundFor(candidate, purpose);
  for (const d of DIMENSIONS) {
    if (demand[d] > 0 && candidate.used[d] + demand[d] > bound[d]) return `no-room-${d}`;
  }
  const device = deviceRefusal(candidate, devices);
  if (device !== undefined) return device;
  const groupsMax = purpose === 'failover' ? GROUPS_HELD_MAX : GROUPS_BORN_MAX;
  if (candidate.groups.length >= groupsMax && !candidate.groups.some((g) => g.kind === kind))
    return 'too-many-groups';
  return undefined;
};
