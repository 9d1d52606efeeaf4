import { entityOf } from '../../audit/event.ts';
import { foldEvents } from '../../audit/fold.ts';
import type { FoldedState } from '../../audit/fold-state.ts';
import type { AuditEvent } from '../../schemas/audit.ts';
import { rewindAllocation, rewindGroup, rewindResource, rewindSlices } from '../../store/backup/rewind.ts';
import { decodeAllocation } from '../../store/placement/allocations.ts';
import { decodeGroup } from '../../store/placement/groups.ts';
import type { Item } from '../../store/table/attributes.ts';
import { add, ZERO } from '../../vector.ts';
import { headsOf } from './cut.ts';
import type { Left } from './left.ts';
import { type Sorted, sortItems } from './sorted.ts';

/** What does not fit together, one sentence each: no backup can be made of it. */
export class Unsettled extends Error {
  override readonly name = 'Unsettled';
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(`${faults.length} things do not fit together: ${faults.slice(0, 3).join('; ')}`);
    this.faults = faults;
  }
}

/**
 * The state at the point where `events` end, from items that were read at any time after it: work and its sums are what
 * the events fold to; what was born later is left out; all else stays as it was read. Raises Unsettled, ChangedSince.
 */
export function settle(items: readonly Item[], events: readonly AuditEvent[]): readonly Item[] {
  const folded = foldEvents(events);
  if (folded.faults.length > 0) throw new Unsettled(folded.faults);
  return settleTo(items, events, folded);
}

/** The same of events that are folded already; what is `left` may be missing. */
export function settleTo(
  items: readonly Item[],
  events: readonly AuditEvent[],
  folded: FoldedState,
  left?: Left,
): readonly Item[] {
  const seen = sortItems(items);
  const faults = missing(seen, folded, left);
  if (faults.length > 0) throw new Unsettled(faults);
  const heads = headsOf(events);
  const headOf = (entity: string) => heads.get(entity) ?? { rev: 0, head: '', at: 0 };
  const kindOf = (group: string): string => {
    const item = seen.groups.get(group);
    return item === undefined ? '' : decodeGroup(item).kind;
  };
  const out: Item[] = [];
  for (const [id, item] of seen.resources) {
    const then = folded.resources.get(id);
    if (then !== undefined) out.push(rewindResource(item, then, headOf(entityOf.resource(id)), kindOf));
  }
  for (const [id, item] of seen.locators) if (folded.resources.has(id)) out.push(item);
  for (const [id, item] of seen.groups) {
    const then = folded.groups.get(id);
    const labscape = folded.resources.get(then?.resource ?? '')?.labscape;
    if (then !== undefined) out.push(rewindGroup(item, then, labscape));
  }
  for (const [id, item] of seen.allocations) {
    const then = folded.allocations.get(id);
    if (then !== undefined) out.push(rewindAllocation(item, then, headOf(`allocation#${id}`)));
  }
  return [...out, ...quotas(seen, folded), ...seen.others];
}

/** What the events say is in use, and no item tells more of. Tombstones may have expired. */
function missing(seen: Sorted, folded: FoldedState, left: Left | undefined): string[] {
  const faults: string[] = [];
  for (const id of folded.resources.keys())
    if (!seen.resources.has(id) && !left?.resources.has(id))
      faults.push(`resource ${id}: events speak of it, there is no item`);
  for (const { id, status } of folded.groups.values())
    if (status !== 'closed' && !seen.groups.has(id) && !left?.groups.has(id))
      faults.push(`group ${id}: events speak of it, there is no item`);
  for (const [id, { status }] of folded.allocations)
    if (status === 'active' && !seen.allocations.has(id) && !left?.allocations.has(id))
      faults.push(`allocation ${id}: events say it is active, there is no item`);
  return faults;
}

function quotas(seen: Sorted, folded: FoldedState): Item[] {
  const used = new Map<string, ReturnType<typeof add>>();
  for (const [id, item] of seen.allocations) {
    const then = folded.allocations.get(id);
    if (then?.status !== 'active') continue;
    const key = `${then.tenant}#${decodeAllocation(item).slice}`;
    used.set(key, add(used.get(key) ?? ZERO, then.demand));
  }
  return [...seen.tenants].flatMap(([id, tenant]) => [
    tenant,
    ...rewindSlices(tenant, seen.slices.get(id) ?? [], (slice) => used.get(`${id}#${slice}`) ?? ZERO),
  ]);
}
