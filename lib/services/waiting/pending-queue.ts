import { arriving, groupDevices, heldAfter, seat } from '../../allocation/extras.ts';
import {
  BACKOFF_MOST_MS,
  nextTryAt,
  offerFairly,
  type TenantUse,
  type Waiting,
} from '../../allocation/pending.ts';
import { planReservations, RESERVATIONS_MAX } from '../../allocation/reservations.ts';
import { STRATEGY_DEFAULT } from '../../allocation/strategy-rule.ts';
import type { Vector } from '../../schemas/common.ts';
import { readSlices, readTenant } from '../../store/access/tenants.ts';
import { type ResourceRecord, readResource } from '../../store/fleet/resources.ts';
import { type GroupRecord, pendingGroups } from '../../store/placement/groups.ts';
import {
  backOff,
  duePending,
  putOffBeyond,
  reserve,
  unreserve,
} from '../../store/placement/pending-writes.ts';
import { add, mapVector, subtract, sum } from '../../vector.ts';
import type { FleetResource } from '../fleet.ts';
import { type Requester, system } from '../origin.ts';
import { emptiestFor } from '../placement/emptiest.ts';
import type { Runtime } from '../runtime.ts';
import { placePending, rankedFor } from './place-pending.ts';

/** Of each class, in one sweep. */
const DUE_MAX = 50;
/**
 * `freed`: something left a resource, which is often, and mostly leaves room for little. `came`: a resource returned, was
 * added or enlarged, which is seldom, and brings much.
 */
export type Room = 'freed' | 'came';

/** Groups looked at, and placed, when there is room: the rest is the next release's, or the sweep's. */
const WAKE_LOOKED_AT = 16;
const PLACED_MAX: Readonly<Record<Room, number>> = { freed: 4, came: WAKE_LOOKED_AT };
/** An empty queue is believed for so long, ms: releases ask for it no more often. */
const EMPTY_FOR_MS = 1_000;

type Queued = Waiting & { readonly group: GroupRecord };

/** Its first epoch: it never ran. What ran before was displaced, and may be of several tenants. */
const queued = (group: GroupRecord): Queued => ({
  ...{ id: group.id, class: group.class, demand: group.demand, since: group.since, group },
  tenant: group.epoch === 1 ? group.tenant : undefined,
});

/** What failed over may use the reserve; what only waits for room may not. */
const boundOf = (group: GroupRecord): 'fill' | 'limit' => (group.recovery === undefined ? 'fill' : 'limit');

/** Quotas count what waits too: what runs is the rest, as far as the given groups show it. */
const usesOf = async (
  runtime: Runtime,
  waiting: readonly Queued[],
): Promise<ReadonlyMap<string, TenantUse>> => {
  const names = [...new Set(waiting.flatMap(({ tenant }) => (tenant === undefined ? [] : [tenant])))];
  // Alone, or among what was displaced: its share decides nothing.
  if (names.length < 2) return new Map();
  const uses = await Promise.all(
    names.map(async (name): Promise<[string, TenantUse]> => {
      const tenant = await readTenant(runtime.store, name);
      if (tenant === undefined) return [name, { used: sum([]), weight: 1 }];
      const all = sum((await readSlices(runtime.store, tenant)).map((slice) => slice.used));
      const waits = sum(waiting.filter((one) => one.tenant === name).map((one) => one.demand));
      const runs = subtract(all, waits);
      return [name, { used: mapVector((d) => Math.max(0, runs[d])), weight: tenant.weight }];
    }),
  );
  return new Map(uses);
};

interface Offers {
  readonly placed: readonly { readonly one: Queued; readonly resource: string }[];
  readonly missed: readonly Queued[];
}

/** How many of a strategy's choices are looked at for one that still has room in the plan. */
const CHOICES_MAX = 8;

/** Where its strategy would have it, best first. Least-loaded alone asks the copy, which knows what the plan adds. */
const preferred = (runtime: Runtime, group: GroupRecord): readonly string[] =>
  runtime.fleet.strategyFor(group.strategy, group.constraints).name === STRATEGY_DEFAULT
    ? []
    : rankedFor(runtime, group, boundOf(group), CHOICES_MAX).map(({ id }) => id);

interface OfferInput {
  readonly waiting: readonly Queued[];
  readonly tenants: ReadonlyMap<string, TenantUse>;
  readonly fleet: readonly FleetResource[];
  readonly total: Vector;
  readonly now: number;
  /** Resources in the order in which a group would have them; the emptiest otherwise. */
  readonly prefer: (group: GroupRecord) => readonly string[];
}

/** Plans for all of them on a copy of the fleet, in the fair order. */
const planOffers = ({ waiting, tenants, fleet, total, now, prefer }: OfferInput): Offers => {
  const copy = new Map(fleet.map((resource) => [resource.id, resource]));
  const placed: { one: Queued; resource: string }[] = [];
  const missed: Queued[] = [];
  const homeOf = (group: GroupRecord): FleetResource | undefined => {
    for (const id of prefer(group)) {
      const resource = copy.get(id);
      if (resource !== undefined && emptiestFor(group, [resource], boundOf(group)) !== undefined)
        return resource;
    }
    return emptiestFor(group, [...copy.values()], boundOf(group));
  };
  const attempt = (one: Queued): boolean => {
    const { group } = one;
    const home = homeOf(group);
    const seated = home && seat(home, group);
    const extras = home && seated && arriving(home, [seated]);
    if (home === undefined || extras === undefined) {
      missed.push(one);
      return false;
    }
    placed.push({ one, resource: home.id });
    const groups = [...home.groups, { kind: group.kind, group: group.id }];
    const held = heldAfter(home, extras, 'came');
    copy.set(home.id, { ...home, ...held, used: add(home.used, group.demand), groups });
    return true;
  };
  offerFairly({ waiting, tenants, total, now, attempt });
  return { placed, missed };
};

const shared = (fleet: readonly ResourceRecord[]): Vector =>
  sum(fleet.filter(({ status }) => status === 'healthy').map(({ fill }) => fill));

/** Commits a plan in its order; what lost its race counts as missed. */
const carryOut = async (
  runtime: Runtime,
  { placed, missed }: Offers,
  requester: Requester,
  most: number,
): Promise<{ readonly placed: number; readonly missed: readonly Queued[] }> => {
  const left = [...missed];
  let count = 0;
  for (const { one, resource } of placed.slice(0, most)) {
    const home = await placePending(runtime, one.id, boundOf(one.group), requester, resource);
    if (home.kind === 'placed') count += 1;
    if (home.kind === 'nowhere') left.push(one);
  }
  return { placed: count, missed: left };
};

/** The backstop: every group whose next try is due is offered what there is, and what starves gets room held for it. */
export const placeWaiting = async (runtime: Runtime, request: string): Promise<number> => {
  const now = runtime.clock.now();
  const late = await putOffBeyond(runtime.store, now + BACKOFF_MOST_MS, DUE_MAX);
  const due = [...(await duePending(runtime.store, now, DUE_MAX)), ...late];
  const { resources } = await runtime.fleet.snapshot();
  if (due.length === 0 && resources.every(({ reserved }) => reserved === undefined)) return 0;
  const waiting = due.map(queued);
  const tenants = await usesOf(runtime, waiting);
  const offers = planOffers({
    ...{ waiting, tenants, fleet: resources, total: shared(resources), now },
    prefer: (group) => preferred(runtime, group),
  });
  const { placed, missed } = await carryOut(
    runtime,
    offers,
    system('pending', request),
    Number.POSITIVE_INFINITY,
  );
  await Promise.all(
    missed.map(({ group }) => {
      const tries = (group.tries ?? 0) + 1;
      return backOff(runtime.store, group, tries, nextTryAt(tries, now, runtime.chance.uniform()));
    }),
  );
  await holdRoom(runtime, now);
  return placed;
};

/** Reserves for those that starve, and gives up what is no longer needed. */
const holdRoom = async (runtime: Runtime, now: number): Promise<void> => {
  const { resources } = await runtime.fleet.snapshot(0);
  // Also of those that are not due: a group that backs off starves all the same.
  const waiting = (await duePending(runtime.store, Number.MAX_SAFE_INTEGER, DUE_MAX))
    .filter((group) => boundOf(group) === 'fill')
    .map((group) => ({
      ...queued(group),
      ...{ constraints: group.constraints, devices: groupDevices(group) },
    }));
  const held = resources.some(({ reserved }) => reserved !== undefined);
  if (waiting.length === 0 && !held) return;
  const plan = planReservations(waiting, resources, now);
  const byId = new Map(resources.map((resource) => [resource.id, resource]));
  const apply = async (id: string, group: string, write: typeof reserve, to: string | undefined) => {
    const resource = byId.get(id);
    if (resource !== undefined && (await write(runtime.store, resource, group)))
      runtime.fleet.learn({ ...resource, reserved: to });
  };
  await Promise.all([
    ...plan.drop.map(({ resource, group }) => apply(resource, group, unreserve, undefined)),
    ...plan.hold
      .slice(0, RESERVATIONS_MAX)
      .map(({ resource, group }) => apply(resource, group, reserve, group)),
  ]);
};

/** Until when the queue is believed to be empty, monotonic ms. */
const emptyUntil = new WeakMap<Runtime, number>();

/** Something waits as of now: the next release looks. Other warm functions may believe otherwise for a second. */
export const noteWaiting = (runtime: Runtime): void => {
  emptyUntil.delete(runtime);
};

/**
 * There is room on a resource: what waits and fits there is placed at once. Bounded: 16 groups are looked at; of what
 * was freed 4 are placed, and the queue is asked for at most once a second while it is empty. What came is offered
 * whatever was believed. An outage is the sweep's to make up for.
 */
export const wakeFor = async (
  runtime: Runtime,
  where: { readonly id: string; readonly labscape: string },
  request: string,
  room: Room,
): Promise<number> => {
  const atMs = runtime.clock.monotonicMs();
  if (room === 'freed' && atMs < (emptyUntil.get(runtime) ?? 0)) return 0;
  try {
    return await wake(runtime, where, request, room);
  } catch (error) {
    if (error instanceof Error && (error.name === 'StoreUnavailable' || error.name === 'Throttled')) return 0;
    throw error;
  }
};

const wake = async (
  runtime: Runtime,
  where: { readonly id: string; readonly labscape: string },
  request: string,
  room: Room,
): Promise<number> => {
  const groups = await pendingGroups(runtime.store, WAKE_LOOKED_AT);
  if (groups.length === 0) {
    emptyUntil.set(runtime, runtime.clock.monotonicMs() + EMPTY_FOR_MS);
    return 0;
  }
  const resource = await readResource(runtime.store, where.labscape, where.id);
  if (resource === undefined) return 0;
  const fleet = await runtime.fleet.snapshot();
  runtime.fleet.learn(resource);
  // As placement knows it: with what its labscape says of residency.
  const home = runtime.fleet.seen(resource.id) ?? resource;
  const fitting = groups
    .map(queued)
    .filter(({ group }) => emptiestFor(group, [home], boundOf(group)) !== undefined);
  if (fitting.length === 0) return 0;
  const tenants = await usesOf(runtime, fitting);
  const total = shared(fleet.resources);
  const offers = planOffers({
    ...{ waiting: fitting, tenants, fleet: [home], total, now: runtime.clock.now() },
    prefer: () => [],
  });
  return (await carryOut(runtime, offers, system('pending', request), PLACED_MAX[room])).placed;
};
