import type { ChainHead } from '../../../lib/audit/event.ts';
import { EventIndex } from '../../../lib/audit/verify/event-index.ts';
import type { Finding } from '../../../lib/audit/verify/finding.ts';
import type { Allocation } from '../../../lib/schemas/allocation.ts';
import type { AuditEvent } from '../../../lib/schemas/audit.ts';
import type { Resource } from '../../../lib/schemas/resource.ts';
import { RETURN_POLICY_DEFAULT } from '../../../lib/schemas/return-policy.ts';
import { Seal, SealBody, SealKey } from '../../../lib/schemas/seal.ts';
import { allocationView } from '../../../lib/services/placement/allocation-view.ts';
import { resourceView } from '../../../lib/services/registry/resource-view.ts';
import { chainHeadOf } from '../../../lib/store/chain-heads.ts';
import { decodeEvent } from '../../../lib/store/events.ts';
import { decodeResource } from '../../../lib/store/fleet/resources.ts';
import { type AllocationRecord, decodeAllocation } from '../../../lib/store/placement/allocations.ts';
import { decodeGroup, type GroupRecord } from '../../../lib/store/placement/groups.ts';
import { isEventItem, sealItemKind } from '../../../lib/store/seals.ts';
import type { Item } from '../../../lib/store/table/attributes.ts';
import { asError } from '../errors.ts';
import type { OpenedCopy } from './opened-copy.ts';

/** The audit table: of each event what it is called and its hash, all else whole. */
export interface ReadAudit {
  readonly events: EventIndex;
  readonly seals: Seal[];
  readonly drafts: SealBody[];
  readonly keys: SealKey[];
  readonly findings: Finding[];
}

/** An entity's events, in order of their revisions. */
export interface Chain {
  readonly entity: string;
  readonly events: readonly AuditEvent[];
}

/** The state table, as the API would tell it. */
export interface ReadState {
  readonly resources: Resource[];
  readonly allocations: Allocation[];
  readonly groups: GroupRecord[];
  readonly heads: Map<string, ChainHead>;
  readonly findings: Finding[];
}

const json = (item: Item): unknown => JSON.parse(item['body']?.S ?? 'null');

/** Reads what can be read; what cannot is a finding of its own. `progress` hears how many items there were so far. */
export async function readAudit(copy: OpenedCopy, progress: (items: number) => void): Promise<ReadAudit> {
  const read: ReadAudit = { events: new EventIndex(), seals: [], drafts: [], keys: [], findings: [] };
  const others = (item: Item): void => {
    const kind = sealItemKind(item);
    if (kind === 'seal') read.seals.push(Seal.parse(json(item)));
    else if (kind === 'draft') read.drafts.push(SealBody.parse(json(item)));
    else if (kind === 'key') read.keys.push(SealKey.parse(json(item)));
  };
  const unreadable = (item: Item, error: unknown): void => {
    const kind = sealItemKind(item);
    const name = kind === undefined ? `${item['entity']?.S}/${item['rev']?.N}` : `${kind} ${item['rev']?.N}`;
    const check = kind === undefined ? 'chains' : 'seals';
    read.findings.push({ check, item: name, fault: 'unreadable', why: asError(error).message });
  };
  for await (const { entity, events } of chainsOf(copy, progress, { others, unreadable }))
    read.events.add(entity, events);
  read.seals.sort((a, b) => a.number - b.number);
  return read;
}

/** The chains once more, one at a time, as `readAudit` read them. */
export const readChains = (
  copy: OpenedCopy,
  progress: (items: number) => void,
): AsyncGenerator<Chain, void> => chainsOf(copy, progress, { others: () => {}, unreadable: () => {} });

interface Visitor {
  /** Of what is no event; may throw. */
  readonly others: (item: Item) => void;
  readonly unreadable: (item: Item, error: unknown) => void;
}

async function* chainsOf(
  copy: OpenedCopy,
  progress: (items: number) => void,
  { others, unreadable }: Visitor,
): AsyncGenerator<Chain, void> {
  let events: AuditEvent[] = [];
  let items = 0;
  const chain = (): Chain => ({
    entity: events[0]?.entity ?? '',
    events: events.sort((a, b) => a.rev - b.rev),
  });
  for await (const page of copy.items('audit')) {
    for (const item of page)
      try {
        if (!isEventItem(item)) others(item);
        else {
          const event = decodeEvent(item);
          if (events.length > 0 && event.entity !== events[0]?.entity) {
            yield chain();
            events = [];
          }
          events.push(event);
        }
      } catch (error) {
        unreadable(item, error);
      }
    items += page.length;
    progress(items);
  }
  if (events.length > 0) yield chain();
}

export async function readState(copy: OpenedCopy, progress: (items: number) => void): Promise<ReadState> {
  const groups = new Map<string, GroupRecord>();
  const allocations: AllocationRecord[] = [];
  const resources: Resource[] = [];
  const heads = new Map<string, ChainHead>();
  const findings: Finding[] = [];
  let items = 0;
  const take = (item: Item): void => {
    const known = chainHeadOf(item);
    if (known !== undefined) heads.set(known.entity, known);
    const kind = item['sk']?.S?.split('#')[0];
    if (kind === 'ALLOC') allocations.push(decodeAllocation(item));
    else if (kind === 'GRP') {
      const group = decodeGroup(item);
      groups.set(group.id, group);
    } else if (kind === 'RES' && item['pk']?.S?.startsWith('LAB#') === true)
      resources.push(resourceView(decodeResource(item), RETURN_POLICY_DEFAULT, 0));
  };
  for await (const page of copy.items('state')) {
    for (const item of page)
      try {
        take(item);
      } catch (error) {
        const name = `${item['pk']?.S} ${item['sk']?.S}`;
        findings.push({ check: 'state', item: name, fault: 'unreadable', why: asError(error).message });
      }
    items += page.length;
    progress(items);
  }
  const views = allocations.map((allocation) => allocationView(allocation, groups.get(allocation.group)));
  return { resources, allocations: views, groups: [...groups.values()], heads, findings };
}
