import type { ChainHead } from '../../../lib/audit/event.ts';
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
import { sealItemKind } from '../../../lib/store/seals.ts';
import { asError } from '../errors.ts';
import type { Item, OpenedCopy } from './opened-copy.ts';

/** The audit table. */
export interface ReadAudit {
  readonly events: AuditEvent[];
  readonly seals: Seal[];
  readonly drafts: SealBody[];
  readonly keys: SealKey[];
  readonly findings: Finding[];
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
  const read: ReadAudit = { events: [], seals: [], drafts: [], keys: [], findings: [] };
  let items = 0;
  for await (const page of copy.items('audit')) {
    for (const item of page) sortIn(item, read);
    items += page.length;
    progress(items);
  }
  read.seals.sort((a, b) => a.number - b.number);
  return read;
}

function sortIn(item: Item, read: ReadAudit): void {
  const kind = sealItemKind(item);
  const name = kind === undefined ? `${item['entity']?.S}/${item['rev']?.N}` : `${kind} ${item['rev']?.N}`;
  try {
    if (kind === 'seal') read.seals.push(Seal.parse(json(item)));
    else if (kind === 'draft') read.drafts.push(SealBody.parse(json(item)));
    else if (kind === 'key') read.keys.push(SealKey.parse(json(item)));
    else read.events.push(decodeEvent(item));
  } catch (error) {
    const check = kind === undefined ? 'chains' : 'seals';
    read.findings.push({ check, item: name, fault: 'unreadable', why: asError(error).message });
  }
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
    if (known !== undefined) heads.set(known.entity, known.head);
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
