import type * as z from 'zod';
import type { Allocation } from '../schemas/allocation.ts';
import type { Resource } from '../schemas/resource.ts';
import { equals } from '../vector.ts';
import {
  type FoldedAllocation,
  type FoldedGroup,
  type FoldedResource,
  type FoldedState,
  leaseByEvents,
} from './fold-state.ts';

/** The state as the API tells it. */
export interface SeenState {
  readonly resources: readonly z.output<typeof Resource>[];
  readonly allocations: readonly z.output<typeof Allocation>[];
}

type SeenAllocation = SeenState['allocations'][number];
type SeenResource = SeenState['resources'][number];

/**
 * Compares what the events rebuild with what the API says; one sentence per difference, none when they agree. Events
 * must have been read before the state or while nothing changed. Tombstones that have expired from the store are
 * not missed. Pure.
 */
export function reconcileState(folded: FoldedState, seen: SeenState): readonly string[] {
  const faults: string[] = [];
  for (const resource of seen.resources) faults.push(...resourceFaults(resource, folded));
  const resources = new Set(seen.resources.map(({ id }) => id));
  for (const id of folded.resources.keys()) {
    if (!resources.has(id)) faults.push(`resource ${id}: events speak of it, the API does not know it`);
  }
  for (const allocation of seen.allocations) faults.push(...allocationFaults(allocation, folded));
  const allocations = new Set(seen.allocations.map(({ tenant, id }) => `${tenant}#${id}`));
  for (const [key, { status }] of folded.allocations) {
    if (status !== 'active' || allocations.has(key)) continue;
    faults.push(`allocation ${key}: events say it is active, the API does not know it`);
  }
  return faults;
}

function resourceFaults(seen: SeenResource, folded: FoldedState): string[] {
  const what = `resource ${seen.id}`;
  const rebuilt: FoldedResource | undefined = folded.resources.get(seen.id);
  if (rebuilt === undefined) return [`${what}: no event speaks of it`];
  const faults = [
    ...differs(what, 'labscape', rebuilt.labscape, seen.labscape),
    ...differs(what, 'status', rebuilt.status, seen.status),
    ...differs(what, 'epoch', rebuilt.epoch, seen.epoch),
    ...differs(what, 'groups', rebuilt.groups.length, seen.groups),
  ];
  if (!equals(rebuilt.used, seen.used)) {
    faults.push(...differs(what, 'used', JSON.stringify(rebuilt.used), JSON.stringify(seen.used)));
  }
  const devices = (one: { model: string; used: readonly number[] } | undefined): string | undefined =>
    one && `${one.model} ${one.used.join()}`;
  faults.push(...differs(what, 'devices', devices(rebuilt.devices), devices(seen.devices)));
  if (!equals(rebuilt.capacity, seen.capacity)) {
    faults.push(
      ...differs(what, 'capacity', JSON.stringify(rebuilt.capacity), JSON.stringify(seen.capacity)),
    );
  }
  return faults;
}

function allocationFaults(seen: SeenAllocation, folded: FoldedState): string[] {
  const key = `${seen.tenant}#${seen.id}`;
  const what = `allocation ${key}`;
  const rebuilt: FoldedAllocation | undefined = folded.allocations.get(key);
  if (rebuilt === undefined) return [`${what}: no event speaks of it`];
  const group: FoldedGroup | undefined = folded.groups.get(rebuilt.group);
  const status = rebuilt.status === 'active' ? group?.status : rebuilt.status;
  const faults = [
    ...differs(what, 'status', status, seen.status),
    ...differs(what, 'class', rebuilt.class, seen.class),
    ...differs(what, 'lease', leaseByEvents(rebuilt, seen.leaseUntil), seen.leaseUntil),
  ];
  if (!equals(rebuilt.demand, seen.demand)) {
    faults.push(...differs(what, 'demand', JSON.stringify(rebuilt.demand), JSON.stringify(seen.demand)));
  }
  if (rebuilt.status !== 'active') return faults;
  return [
    ...faults,
    ...differs(what, 'group', rebuilt.group, seen.group),
    ...differs(what, 'epoch of its group', group?.epoch, seen.groupEpoch),
    ...differs(what, 'owner', group?.resource, seen.resource),
    ...differs(what, 'devices', group?.deviceMap?.join(), seen.deviceIndexes?.join()),
  ];
}

type Plain = string | number | undefined;

const differs = (what: string, field: string, rebuilt: Plain, seen: Plain): string[] =>
  rebuilt === seen
    ? []
    : [`${what}: ${field} is ${seen ?? 'absent'} in the API, ${rebuilt ?? 'absent'} by its events`];
