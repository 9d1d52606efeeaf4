import { groupByEntity, verifyChain } from '../../../lib/audit/chain.ts';
import { type ChainHead, entityOf } from '../../../lib/audit/event.ts';
import { foldEvents } from '../../../lib/audit/fold.ts';
import type { FoldedState } from '../../../lib/audit/fold-state.ts';
import { equals } from '../../../lib/vector.ts';
import type { State } from '../world/state.ts';

/** Invariant 10 at the end of a history: chains are whole and end where their entities say; folded, they are the state. */
export const auditFaults = (state: State): readonly string[] => {
  const folded = foldEvents(state.events);
  return [
    ...chainFaults(state),
    ...folded.faults,
    ...resourceFaults(state, folded),
    ...groupFaults(state, folded),
    ...allocationFaults(state, folded),
  ];
};

const chainFaults = (state: State): readonly string[] => {
  const heads = headsOf(state);
  return [...groupByEntity(state.events)].flatMap(([entity, events]) =>
    verifyChain(entity, events, heads.get(entity)).map((fault) => `${entity}: ${JSON.stringify(fault)}`),
  );
};

const headsOf = (state: State): ReadonlyMap<string, ChainHead> =>
  new Map([
    ...[...state.resources.values()].map(({ id, chain }) => [entityOf.resource(id), chain] as const),
    ...[...state.recoveries.values()].map(({ id, chain }) => [entityOf.recovery(id), chain] as const),
    ...[...state.labscapes.values()].map(({ id, chain }) => [entityOf.labscape(id), chain] as const),
    ...[...state.principals.values()].map(({ id, chain }) => [entityOf.principal(id), chain] as const),
    ...[...state.allocations.values()].map(
      ({ tenant, id, chain }) => [entityOf.allocation(tenant, id), chain] as const,
    ),
  ]);

type Plain = string | number | undefined;
const differ = (what: string, rebuilt: readonly Plain[], seen: readonly Plain[]): readonly string[] =>
  JSON.stringify(rebuilt) === JSON.stringify(seen)
    ? []
    : [`${what} is ${JSON.stringify(seen)}, by its events ${JSON.stringify(rebuilt)}`];

const resourceFaults = (state: State, folded: FoldedState): readonly string[] => [
  ...differ('the list of resources', [...folded.resources.keys()].sort(), [...state.resources.keys()].sort()),
  ...[...state.resources.values()].flatMap(({ id, status, epoch, used, groups, spread = [], devices }) => {
    const rebuilt = folded.resources.get(id);
    if (rebuilt === undefined) return [`no event speaks of resource ${id}`];
    const own = groups.map(({ group }) => group).sort();
    return [
      ...differ(
        `resource ${id}`,
        [rebuilt.status, rebuilt.epoch, ...[...rebuilt.groups].sort()],
        [status, epoch, ...own],
      ),
      ...differ(`spread of resource ${id}`, rebuilt.spread, [...spread].sort()),
      ...differ(`devices of resource ${id}`, rebuilt.devices?.used ?? [], devices?.used ?? []),
      ...(equals(rebuilt.used, used) ? [] : [`resource ${id}: used is not what its events add up to`]),
    ];
  }),
];

const groupFaults = (state: State, folded: FoldedState): readonly string[] => [
  ...differ('the list of groups', [...folded.groups.keys()].sort(), [...state.groups.keys()].sort()),
  ...[...state.groups.values()].flatMap(({ id, status, epoch, resource, count, demand, deviceMap }) => {
    const rebuilt = folded.groups.get(id);
    if (rebuilt === undefined) return [];
    // A closed group keeps its last owner's name, and has none.
    const owner = status === 'closed' ? undefined : resource;
    return [
      ...differ(
        `group ${id}`,
        [rebuilt.status, rebuilt.epoch, rebuilt.resource, rebuilt.count],
        [status, epoch, owner, count],
      ),
      ...(status === 'closed'
        ? []
        : differ(`devices of group ${id}`, rebuilt.deviceMap ?? [], deviceMap ?? [])),
      ...(equals(rebuilt.demand, demand) ? [] : [`group ${id}: its demand is not what its events add up to`]),
    ];
  }),
];

const allocationFaults = (state: State, folded: FoldedState): readonly string[] => [
  ...differ(
    'the list of allocations',
    [...folded.allocations.keys()].sort(),
    [...state.allocations.keys()].sort(),
  ),
  ...[...state.allocations].flatMap(([key, seen]) => {
    const rebuilt = folded.allocations.get(key);
    if (rebuilt === undefined) return [];
    return [
      ...differ(
        `allocation ${key}`,
        [rebuilt.status, rebuilt.class, rebuilt.group, rebuilt.leaseUntil],
        [seen.state, seen.class, seen.group, seen.leaseUntil],
      ),
      ...(equals(rebuilt.demand, seen.demand) ? [] : [`allocation ${key}: another demand by its events`]),
    ];
  }),
];
