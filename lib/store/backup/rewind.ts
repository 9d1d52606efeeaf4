import { encodeGroupRef } from '../../allocation/groups.ts';
import { recutQuota } from '../../allocation/quota.ts';
import type { ChainHead } from '../../audit/event.ts';
import {
  type FoldedAllocation,
  type FoldedGroup,
  type FoldedResource,
  leaseByEvents,
} from '../../audit/fold-state.ts';
import type { Vector } from '../../schemas/common.ts';
import { equals } from '../../vector.ts';
import { decodeSlice, decodeTenant } from '../access/tenants.ts';
import { decodeResource, packUsed } from '../fleet/resources.ts';
import { decodeAllocation, leaseEntry, TOMBSTONE_MS } from '../placement/allocations.ts';
import { decodeGroup, packMap, pendingEntry } from '../placement/groups.ts';
import { type Item, N, S, SS, vectorAttributes } from '../table/attributes.ts';

/**
 * Items as they were when the audit stood at a point, made from their later versions: what changes with work comes from
 * the fold of the events, what an item is born with from the item. Pure.
 */

/** Where an entity's chain stood, and since when. */
export type HeadThen = ChainHead & { readonly at: number };

/** What cannot be told from the events, since it was configured anew after the point. */
export class ChangedSince extends Error {
  override readonly name = 'ChangedSince';
}

const chainAttributes = ({ rev, head }: ChainHead): Item => ({ rev: N(rev), head: S(head) });

const without = (item: Item, ...names: readonly string[]): Item => {
  const kept: Item = {};
  for (const [name, value] of Object.entries(item)) if (!names.includes(name)) kept[name] = value;
  return kept;
};

/** `kinds` of its groups, by id. Raises ChangedSince. */
export function rewindResource(
  item: Item,
  then: FoldedResource,
  head: HeadThen,
  kinds: (group: string) => string,
): Item {
  const now = decodeResource(item);
  if (!equals(now.capacity, then.capacity))
    throw new ChangedSince(`resource ${then.id} has another capacity`);
  const groups = then.groups.map((group) => encodeGroupRef({ kind: kinds(group), group }));
  return {
    ...without(item, 'groupIds', 'spread', ...(then.status === 'recovering' ? [] : ['moving'])),
    ...chainAttributes(head),
    status: S(then.status),
    ...(now.status === then.status ? {} : { since: N(head.at) }),
    epoch: N(then.epoch),
    ...vectorAttributes('used', then.used),
    ...(groups.length === 0 ? {} : { groupIds: SS(groups) }),
    ...(then.spread.length === 0 ? {} : { spread: SS(then.spread) }),
    ...(then.devices === undefined ? {} : { devUsed: packUsed(then.devices) }),
  };
}

export function rewindGroup(item: Item, then: FoldedGroup, labscape: string | undefined): Item {
  const { class: cls, since } = decodeGroup(item);
  const kept = without(item, 'resource', 'lab', 'devMap', 'findPk', 'findSk', 'ttl');
  const amounts = {
    status: S(then.status),
    epoch: N(then.epoch),
    count: N(then.count),
    ...vectorAttributes('dem', then.demand),
  };
  // A closed one keeps its last owner's name, which no event tells.
  if (then.status === 'closed') return { ...item, ...amounts };
  if (then.resource === undefined || labscape === undefined)
    return { ...kept, ...amounts, ...pendingEntry(cls, since, then.id) };
  return {
    ...kept,
    ...amounts,
    resource: S(then.resource),
    lab: S(labscape),
    ...(then.deviceMap === undefined ? {} : { devMap: packMap(then.deviceMap) }),
  };
}

export function rewindAllocation(item: Item, then: FoldedAllocation, head: HeadThen): Item {
  const kept = without(item, 'grp', 'grpSk', 'findPk', 'findSk', 'ttl', 'endedAt', 'leaseUntil');
  const until = leaseByEvents(then, decodeAllocation(item).leaseUntil);
  const lease = until === undefined ? {} : { leaseUntil: N(until) };
  const common = {
    ...{ ...kept, ...chainAttributes(head), ...lease },
    ...{ state: S(then.status), group: S(then.group), ...vectorAttributes('dem', then.demand) },
  };
  if (then.status !== 'active') {
    const ttl = N(Math.ceil((head.at + TOMBSTONE_MS) / 1000));
    return { ...common, endedAt: N(head.at), ttl };
  }
  return {
    ...common,
    grp: S(then.group),
    grpSk: S(`${then.tenant}#${then.id}`),
    ...(until === undefined ? {} : leaseEntry(then.tenant, then.id, until)),
  };
}

/** A tenant's slices with what its allocations use; caps are cut anew. Raises ChangedSince. */
export function rewindSlices(tenant: Item, slices: readonly Item[], used: (slice: number) => Vector): Item[] {
  const { id, quota } = decodeTenant(tenant);
  const ordered = slices
    .map((item) => ({ item, ...decodeSlice(item) }))
    .toSorted((a, b) => a.index - b.index)
    .map((slice) => ({ ...slice, used: used(slice.index) }));
  const caps = recutQuota(ordered, quota);
  if (caps === undefined) throw new ChangedSince(`tenant ${id} has a smaller quota than it used`);
  return ordered.map(({ item, used: amounts }, at) => ({
    ...item,
    ...vectorAttributes('used', amounts),
    ...vectorAttributes('cap', caps[at] ?? amounts),
  }));
}
