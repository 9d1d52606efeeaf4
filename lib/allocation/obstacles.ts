import type { Constraints } from '../schemas/allocation.ts';
import { DIMENSIONS, type Dimension, type Vector } from '../schemas/common.ts';
import { DEVICE_MILLI, type DeviceDemand } from '../schemas/devices.ts';
import { ZERO } from '../vector.ts';
import { boundFor, type Candidate } from './candidate.ts';
import { type DeviceBank, fitDevices } from './devices.ts';
import { ineligible } from './eligibility.ts';
import { GROUPS_BORN_MAX, GROUPS_HELD_MAX } from './groups.ts';
import type { PlacementRequest } from './request.ts';

/** What a resource would need of a request to be able to take it. */
export interface Adjustment {
  readonly resource: string;
  readonly labscape: string;
  /** How much less to ask for, by dimension; what is not named is no obstacle. */
  readonly less: Readonly<Partial<Record<Dimension, number>>>;
  /** Constraints to drop: `labscapes`, `notLabscapes`, `labels.KEY`, `residency`, `spread`, `devices`, `devices.models`. */
  readonly drop: readonly string[];
  /** Devices to ask for instead. */
  readonly devices?: { readonly count: number; readonly milli: number };
}

const WHOLE = ['labscapes', 'notLabscapes', 'residency', 'spread'] as const;

/** Each constraint alone, by the name under which it can be dropped. */
const single = (constraints: Constraints): readonly (readonly [string, Constraints])[] => [
  ...WHOLE.flatMap((name): (readonly [string, Constraints])[] =>
    constraints[name] === undefined ? [] : [[name, { [name]: constraints[name] }]],
  ),
  ...Object.entries(constraints.labels ?? {}).map(([key, value]): readonly [string, Constraints] => [
    `labels.${key}`,
    { labels: { [key]: value } },
  ]),
];

/** Asked through the rule itself, so that it stands in one place. */
const excludes = (candidate: Candidate, constraints: Constraints): boolean =>
  ineligible(
    { ...candidate, status: 'healthy', groups: [], reserved: undefined },
    ZERO,
    constraints,
    'placement',
  ) !== undefined;

const deviceAdjustment = (
  bank: DeviceBank | undefined,
  demand: DeviceDemand,
): Pick<Adjustment, 'drop' | 'devices'> => {
  if (bank === undefined) return { drop: ['devices'] };
  const { count, milli } = demand;
  const drop = demand.models?.includes(bank.model) === false ? ['devices.models'] : [];
  if ('map' in fitDevices(bank, { count, milli })) return { drop };
  const free = bank.used.map((used) => DEVICE_MILLI - used).sort((a, b) => b - a);
  const able = free.filter((left) => left >= milli).length;
  if (able > 0) return { drop, devices: { count: able, milli } };
  const most = free[count - 1] ?? 0;
  return most > 0 ? { drop, devices: { count, milli: most } } : { drop: ['devices'] };
};

const lacking = (used: Vector, demand: Vector, bound: Vector): Adjustment['less'] => {
  const less: Partial<Record<Dimension, number>> = {};
  for (const d of DIMENSIONS) {
    const over = used[d] + demand[d] - bound[d];
    if (demand[d] > 0 && over > 0) less[d] = Math.min(demand[d], over);
  }
  return less;
};

/**
 * What must change for `candidate` to take the request; undefined when no change of the request helps: it is not
 * healthy, is kept for another, its labscape is quarantined, it may bear no more groups, or has no room at all for any of it.
 */
export const adjustmentFor = (candidate: Candidate, request: PlacementRequest): Adjustment | undefined => {
  if (candidate.status !== 'healthy') return undefined;
  if (request.purpose === 'placement' && (candidate.reserved !== undefined || candidate.quarantined === true))
    return undefined;
  const drop = single(request.constraints)
    .filter(([, alone]) => excludes(candidate, alone))
    .map(([name]) => name);
  const device =
    request.devices === undefined ? undefined : deviceAdjustment(candidate.devices, request.devices);
  drop.push(...(device?.drop ?? []));
  const most = request.purpose === 'failover' ? GROUPS_HELD_MAX : GROUPS_BORN_MAX;
  // Other constraints, or other devices, are another profile, hence another kind of group.
  const isOfKind = drop.length === 0 && device?.devices === undefined;
  const joins = isOfKind && candidate.groups.some(({ kind }) => kind === request.kind);
  if (candidate.groups.length >= most && !joins) return undefined;
  const less = lacking(candidate.used, request.demand, boundFor(candidate, request.purpose));
  if (DIMENSIONS.every((d) => request.demand[d] - (less[d] ?? 0) === 0)) return undefined;
  return {
    resource: candidate.id,
    labscape: candidate.labscape,
    less,
    drop,
    ...(device?.devices === undefined ? {} : { devices: device.devices }),
  };
};

const without = (constraints: Constraints, drop: readonly string[]): Constraints => {
  const labels = Object.entries(constraints.labels ?? {}).filter(([key]) => !drop.includes(`labels.${key}`));
  const { labels: _, ...rest } = constraints;
  const kept = Object.entries(rest).filter(([name]) => !drop.includes(name));
  return {
    ...Object.fromEntries(kept),
    ...(labels.length === 0 ? {} : { labels: Object.fromEntries(labels) }),
  };
};

const devicesAfter = (demand: DeviceDemand, change: Adjustment): DeviceDemand | undefined => {
  if (change.drop.includes('devices')) return undefined;
  const { models, ...rest } = { ...demand, ...change.devices };
  return models === undefined || change.drop.includes('devices.models') ? rest : { ...rest, models };
};

/** The request as an adjustment asks for it: its resource can take it, as far as the snapshot knows. */
export const adjusted = (request: PlacementRequest, change: Adjustment): PlacementRequest => {
  const { kind, devices, ...rest } = request;
  const after = devices === undefined ? undefined : devicesAfter(devices, change);
  const { demand } = request;
  return {
    ...rest,
    demand: {
      processing: demand.processing - (change.less.processing ?? 0),
      memory: demand.memory - (change.less.memory ?? 0),
      storage: demand.storage - (change.less.storage ?? 0),
      network: demand.network - (change.less.network ?? 0),
    },
    constraints: without(request.constraints, change.drop),
    ...(kind === undefined || change.drop.length > 0 || change.devices !== undefined ? {} : { kind }),
    ...(after === undefined ? {} : { devices: after }),
  };
};

/** The greatest share of what is asked for in a dimension that an adjustment gives up; 0 when it gives up nothing. */
export const givenUp = (demand: Vector, { less }: Pick<Adjustment, 'less'>): number =>
  Math.max(0, ...DIMENSIONS.map((d) => (demand[d] === 0 ? 0 : (less[d] ?? 0) / demand[d])));
