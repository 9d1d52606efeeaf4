import { groupByEntity, verifyChain } from '../../audit/chain.ts';
import type { ChainHead } from '../../audit/event.ts';
import { foldEvents } from '../../audit/fold.ts';
import { type FoldedState, leaseByEvents } from '../../audit/fold-state.ts';
import type { AuditEvent } from '../../schemas/audit.ts';
import type { Vector } from '../../schemas/common.ts';
import { decodeSlice, decodeTenant } from '../../store/access/tenants.ts';
import { chainHeadOf } from '../../store/chain-heads.ts';
import { decodeResource } from '../../store/fleet/resources.ts';
import { decodeAllocation } from '../../store/placement/allocations.ts';
import { decodeGroup } from '../../store/placement/groups.ts';
import type { Item } from '../../store/table/attributes.ts';
import { add, equals, firstOver, sum, ZERO } from '../../vector.ts';
import { type Sorted, sortItems } from './sorted.ts';

/**
 * What is wrong with a whole state and its whole history, one sentence each: chains that are broken or end elsewhere
 * than their items say, events that do not fit together, items that are not what the events fold to, limits and quotas
 * that are passed, sums that are none. Empty: nothing. Pure.
 */
export function stateFaults(items: readonly Item[], events: readonly AuditEvent[]): readonly string[] {
  const seen = sortItems(items);
  const folded = foldEvents(events);
  return [
    ...chainFaults(items, events),
    ...folded.faults,
    ...resourceFaults(seen, folded),
    ...groupFaults(seen, folded),
    ...allocationFaults(seen, folded),
    ...quotaFaults(seen),
  ];
}

function chainFaults(items: readonly Item[], events: readonly AuditEvent[]): string[] {
  const heads = new Map<string, ChainHead>();
  for (const item of items) {
    const known = chainHeadOf(item);
    if (known !== undefined) heads.set(known.entity, known);
  }
  const chains = groupByEntity(events);
  const faults = [...chains].flatMap(([entity, chain]) =>
    verifyChain(entity, chain, heads.get(entity)).map(({ rev, fault }) => `${entity}/${rev}: ${fault}`),
  );
  // A recovery that runs has none of its own until somebody says something about it.
  for (const [entity, { rev }] of heads)
    if (rev > 0 && !chains.has(entity)) faults.push(`${entity}: it has no events`);
  return faults;
}

type Plain = string | number | undefined;
const differ = (what: string, rebuilt: readonly Plain[], seen: readonly Plain[]): string[] =>
  JSON.stringify(rebuilt) === JSON.stringify(seen)
    ? []
    : [`${what} is ${JSON.stringify(seen)}, by its events ${JSON.stringify(rebuilt)}`];
const flat = ({ processing, memory, storage, network }: Vector): number[] => [
  processing,
  memory,
  storage,
  network,
];

function resourceFaults({ resources }: Sorted, folded: FoldedState): string[] {
  const faults = differ(
    'the list of resources',
    [...folded.resources.keys()].sort(),
    [...resources.keys()].sort(),
  );
  for (const item of resources.values()) {
    const { id, status, epoch, used, limit, groups, spread = [], devices } = decodeResource(item);
    const then = folded.resources.get(id);
    if (then === undefined) continue;
    const own = groups.map(({ group }) => group).sort();
    faults.push(
      ...differ(
        `resource ${id}`,
        [then.status, then.epoch, ...flat(then.used), ...[...then.groups].sort()],
        [status, epoch, ...flat(used), ...own],
      ),
      ...differ(`spread of resource ${id}`, then.spread, [...spread].sort()),
      ...differ(`devices of resource ${id}`, then.devices?.used ?? [], devices?.used ?? []),
    );
    const over = firstOver(used, limit);
    if (over !== undefined) faults.push(`resource ${id}: ${over} passes its limit`);
  }
  return faults;
}

function groupFaults({ groups }: Sorted, folded: FoldedState): string[] {
  const faults: string[] = [];
  for (const item of groups.values()) {
    const { id, status, epoch, resource, count, demand } = decodeGroup(item);
    const then = folded.groups.get(id);
    if (then === undefined) {
      faults.push(`group ${id}: no event speaks of it`);
      continue;
    }
    const owner = status === 'closed' ? undefined : resource;
    faults.push(
      ...differ(
        `group ${id}`,
        [then.status, then.epoch, then.resource, then.count, ...flat(then.demand)],
        [status, epoch, owner, count, ...flat(demand)],
      ),
    );
  }
  for (const { id, status } of folded.groups.values())
    if (status !== 'closed' && !groups.has(id)) faults.push(`group ${id}: there is no item`);
  return faults;
}

function allocationFaults({ allocations }: Sorted, folded: FoldedState): string[] {
  const faults: string[] = [];
  for (const [key, item] of allocations) {
    const { state, group, leaseUntil, demand } = decodeAllocation(item);
    const then = folded.allocations.get(key);
    if (then === undefined) faults.push(`allocation ${key}: no event speaks of it`);
    else
      faults.push(
        ...differ(
          `allocation ${key}`,
          [then.status, then.group, leaseByEvents(then, leaseUntil), ...flat(then.demand)],
          [state, group, leaseUntil, ...flat(demand)],
        ),
      );
  }
  for (const [key, { status }] of folded.allocations)
    if (status === 'active' && !allocations.has(key)) faults.push(`allocation ${key}: there is no item`);
  return faults;
}

function quotaFaults({ tenants, slices, allocations }: Sorted): string[] {
  const used = new Map<string, Vector>();
  for (const item of allocations.values()) {
    const { tenant, slice, state, demand } = decodeAllocation(item);
    const key = `${tenant}#${slice}`;
    if (state === 'active') used.set(key, add(used.get(key) ?? ZERO, demand));
  }
  return [...tenants].flatMap(([id, item]) => {
    const own = (slices.get(id) ?? []).map(decodeSlice);
    const faults: string[] = [];
    if (!equals(sum(own.map(({ cap }) => cap)), decodeTenant(item).quota))
      faults.push(`tenant ${id}: its slices do not add up to its quota`);
    for (const { index, cap, used: seen } of own) {
      if (!equals(seen, used.get(`${id}#${index}`) ?? ZERO))
        faults.push(`tenant ${id}: slice ${index} is not what its allocations use`);
      if (firstOver(seen, cap) !== undefined) faults.push(`tenant ${id}: slice ${index} passes its cap`);
    }
    return faults;
  });
}
