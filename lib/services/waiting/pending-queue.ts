import { groupDevices } from '../../allocation/extras.ts';
import { BACKOFF_MOST_MS, nextTryAt } from '../../allocation/pending.ts';
import { planReservations, RESERVATIONS_MAX } from '../../allocation/reservations.ts';
import { readResource } from '../../store/fleet/resources.ts';
import { pendingGroups } from '../../store/placement/groups.ts';
import {
  backOff,
  duePending,
  putOffBeyond,
  reserve,
  unreserve,
} from '../../store/placement/pending-writes.ts';
import { system } from '../origin.ts';
import { emptiestFor } from '../placement/emptiest.ts';
import type { Runtime } from '../runtime.ts';
import { boundOf, carryOut, planOffers, preferred, queued, shared, usesOf } from './offers.ts';

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
