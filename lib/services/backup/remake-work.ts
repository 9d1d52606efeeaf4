import { limitOf } from '../../allocation/limits.ts';
import { type ChainHead, headOf } from '../../audit/event.ts';
import type { FoldedAllocation, FoldedGroup, FoldedResource } from '../../audit/fold-state.ts';
import type { AuditEvent } from '../../schemas/audit.ts';
import type { Labels } from '../../schemas/common.ts';
import { withinTenant } from '../../spread.ts';
import type { LabscapeRecord } from '../../store/fleet/labscapes.ts';
import { encodeResource } from '../../store/fleet/resources.ts';
import { encodeAllocation } from '../../store/placement/allocations.ts';
import { encodeGroup } from '../../store/placement/groups.ts';
import type { Item } from '../../store/table/attributes.ts';
import { firstOver, ZERO } from '../../vector.ts';
import { fillUnder } from '../reserve/fills.ts';
import { BirthBody } from './birth-body.ts';

/**
 * Items that are lost, made again from their events: as they were born. What work did to them since comes from the fold,
 * as for every other item, see settle.ts. Pure; undefined where the events do not tell enough.
 */
type Chain = readonly AuditEvent[];

const lastHead = (chain: Chain): ChainHead | undefined => chain.at(-1) && headOf(chain.at(-1) as AuditEvent);

/** `at`, epoch ms: revisions that no event tells become it, for none grows faster than that. */
export function remadeResource(
  then: FoldedResource,
  chain: Chain,
  labscape: LabscapeRecord,
  at: number,
): Item | undefined {
  const head = lastHead(chain);
  const limit = limitOf(then.capacity, labscape.policy.limits);
  if (head === undefined || firstOver(then.used, limit) !== undefined) return undefined;
  const labels = chain.findLast(({ body }) => body['labels'] !== undefined)?.body['labels'] ?? {};
  return encodeResource({
    ...{ id: then.id, labscape: then.labscape, status: then.status, epoch: then.epoch, chain: head },
    ...{ since: at, statusReason: 'made again from its events', capacity: then.capacity, limit },
    // Under n+1 the sweep gives it its share.
    fill: labscape.policy.fill === 'n+1' ? ZERO : fillUnder(labscape, limit),
    ...{ used: then.used, devices: then.devices, labels: labels as Labels, groups: [] },
    ...{ cfg: at, assignmentRevision: at, attempt: head.rev, acknowledgedEpoch: 0, flaps: 0, moving: false },
    ...{ recovery: undefined, lastRecoveryEndedAt: undefined, failedBy: undefined, retryAt: undefined },
  });
}

/** What the event says that its items were born with; undefined for one that was written before events said it. */
export const birthOf = (event: AuditEvent | undefined): BirthBody | undefined =>
  event && BirthBody.safeParse(event.body).data;

/** `founder`: of any of its members. */
export function remadeGroup(
  then: FoldedGroup,
  tenant: string,
  founder: AuditEvent,
  at: number,
): Item | undefined {
  const birth = birthOf(founder);
  if (birth === undefined) return undefined;
  const { class: cls, kind, constraints, devices, strategy, hashKey, data } = birth;
  return encodeGroup({
    ...{ id: then.id, resource: then.resource, labscape: undefined, epoch: then.epoch, status: then.status },
    ...{ class: cls, kind, constraints: withinTenant(tenant, constraints), devices, strategy, hashKey, data },
    ...{ deviceMap: then.deviceMap, demand: then.demand, count: then.count },
    // Nobody who saw the lost one may take it for that.
    load: at,
    ...{ recovery: undefined, runningEpoch: 0, runningCount: 0, heldUntil: undefined, heldBy: undefined },
    ...{ reason: 'made again from its events', since: founder.at },
  });
}

export function remadeAllocation(then: FoldedAllocation, chain: Chain): Item | undefined {
  const [first] = chain;
  const [birth, head] = [birthOf(first), lastHead(chain)];
  if (first === undefined || birth === undefined || head === undefined) return undefined;
  const { class: cls, demand, devices, constraints, requestHash, slice, hasSpec, adopted, resource } = birth;
  return encodeAllocation({
    ...{ tenant: then.tenant, id: then.id, state: 'active', group: then.group, class: cls, demand },
    ...{
      devices,
      constraints,
      leaseUntil: then.leaseUntil,
      spec: undefined,
      requestHash,
      slice,
      chain: head,
    },
    ...{ adoptedOn: adopted ? (resource ?? undefined) : undefined, createdAt: first.at, endedAt: undefined },
    specLost: hasSpec,
  });
}
