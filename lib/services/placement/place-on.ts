import type { DeviceMap } from '../../allocation/devices.ts';
import { arriving, type Extras, heldAfter } from '../../allocation/extras.ts';
import type { ReserveDecision } from '../../allocation/reserve-check.ts';
import { type Membership, placeWrites } from '../../store/placement/allocation-writes.ts';
import type { AllocationRecord } from '../../store/placement/allocations.ts';
import { add } from '../../vector.ts';
import type { FleetResource } from '../fleet.ts';
import { reserveAfter, withMember } from '../reserve/reserve.ts';
import type { Runtime } from '../runtime.ts';
import type { Allocated } from './allocation-draft.ts';
import { allocationView } from './allocation-view.ts';
import { type Attempt, learnFrom, type Placing } from './attempt.ts';
import { devicesIn, indexesOf, membershipFor, newcomer } from './membership.ts';
import { newAllocation } from './new-allocation.ts';
import type { Refused } from './refusal.ts';

/** Where a demand is tried: a resource, and the devices there that its strategy would have. */
export interface Place {
  readonly target: FleetResource;
  readonly devices?: DeviceMap | undefined;
}

/**
 * On this resource and nowhere else; what it does not take joins `refused`. What runs there already may fill it up to
 * its limit, and only warns of the reserve. Raises idempotency-mismatch, unavailable.
 */
export const placeOn = async (
  runtime: Runtime,
  placing: Placing,
  { target, devices }: Place,
  refused: Refused,
): Promise<Attempt> => {
  const { draft, kind, slice } = placing;
  const membership = await membershipFor(runtime, draft, kind, target, devices);
  const extras = membership && arriving(target, [newcomer(draft, membership)]);
  if (membership === undefined || extras === undefined) {
    refused.ids.add(target.id);
    return { kind: 'next' };
  }
  const after = resourceAfter(target, placing, membership, extras);
  const change = { resource: after, groups: withMember(draft, membership, target.id) };
  const reserve = await reserveAfter(runtime, target.labscape, [change]);
  if (reserve.kind === 'refuse' && draft.adoptedOn === undefined) {
    refused.ids.add(target.id);
    refused.lacking.push(reserve.reason);
    return { kind: 'next' };
  }
  const group = groupOf(membership);
  const { allocation, event } = newAllocation(runtime, placing, {
    ...{ type: 'allocation.placed', group, requester: placing.request.requester },
    told: {
      ...{ born: membership.kind === 'birth', resource: target.id, leaseUntil: draft.leaseUntil ?? null },
      ...devicesIn(draft, membership),
      ...(draft.adoptedOn === undefined ? {} : { adopted: true }),
    },
  });
  const writes = placeWrites(runtime.store, {
    allocation,
    resource: target,
    membership,
    extras,
    sliceCap: slice.cap,
    ...(draft.adoptedOn === undefined ? {} : { bound: target.limit }),
    event,
  });
  // All that was worked out so far it is not told before it is known that it may ask.
  await placing.request.cleared();
  const outcome = await runtime.store.transact(writes);
  if (outcome.kind === 'raced') return { kind: 'raced' };
  if (outcome.kind === 'refused') return await learnFrom(runtime, placing, group, outcome.failed);
  runtime.quotas.took(draft.tenant, slice.index, draft.demand);
  runtime.fleet.learn(after);
  return { kind: 'done', result: created(allocation, membership, target, reserve) };
};

const groupOf = (membership: Membership): string =>
  membership.kind === 'birth' ? membership.group.id : membership.group;

/** The resource as the placement leaves it. */
const resourceAfter = (
  target: FleetResource,
  { draft, kind }: Placing,
  membership: Membership,
  extras: Extras,
): FleetResource => ({
  ...target,
  ...heldAfter(target, extras, 'came'),
  used: add(target.used, draft.demand),
  assignmentRevision: target.assignmentRevision + 1,
  groups:
    membership.kind === 'birth' ? [...target.groups, { kind, group: membership.group.id }] : target.groups,
});

/** The answer, without reading the group back: what joined a running group does not run yet. */
const created = (
  allocation: AllocationRecord,
  membership: Membership,
  target: FleetResource,
  reserve: ReserveDecision,
): Allocated => ({
  kind: 'created',
  allocation: {
    ...allocationView(allocation, undefined),
    status: 'placed',
    group: allocation.group,
    resource: target.id,
    labscape: target.labscape,
    ...indexesOf(membership),
    ...(reserve.kind === 'ok' ? {} : { warning: reserve.reason }),
    running: false,
  },
});
