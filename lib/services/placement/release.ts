import { type Extras, leaving, NO_EXTRAS } from '../../allocation/extras.ts';
import { entityOf, nextEvent } from '../../audit/event.ts';
import { ProblemError } from '../../errors.ts';
import type { Allocation } from '../../schemas/allocation.ts';
import { decodeResource, readResource } from '../../store/fleet/resources.ts';
import { renewWrites } from '../../store/placement/allocation-writes.ts';
import { type AllocationRecord, readAllocation } from '../../store/placement/allocations.ts';
import { endWrites } from '../../store/placement/end-writes.ts';
import { type GroupRecord, readGroup } from '../../store/placement/groups.ts';
import { subtract, ZERO } from '../../vector.ts';
import { originOf, type Requester } from '../origin.ts';
import { untilWon } from '../retry.ts';
import type { Runtime } from '../runtime.ts';
import { wakeFor } from '../waiting/pending-queue.ts';
import { allocationView } from './allocation-view.ts';

export interface AllocationRef {
  readonly tenant: string;
  readonly id: string;
}

const found = async (runtime: Runtime, ref: AllocationRef): Promise<AllocationRecord> => {
  const allocation = await readAllocation(runtime.store, ref.tenant, ref.id);
  if (allocation === undefined)
    throw new ProblemError('not-found', `tenant ${ref.tenant} has no allocation ${ref.id}`);
  return allocation;
};

/** As it stands now, consistently read. Raises not-found. */
export const getAllocation = async (runtime: Runtime, ref: AllocationRef): Promise<Allocation> => {
  const allocation = await found(runtime, ref);
  const group = allocation.state === 'active' ? await readGroup(runtime.store, allocation.group) : undefined;
  return allocationView(allocation, group);
};

/** Gives everything back. Released twice is released once. Raises not-found, moving, unavailable. */
export const release = async (
  runtime: Runtime,
  ref: AllocationRef,
  requester: Requester,
  to: 'released' | 'expired' = 'released',
): Promise<Allocation> =>
  untilWon(runtime, 'its group', async () => {
    const allocation = await found(runtime, ref);
    if (allocation.state !== 'active') return allocationView(allocation, undefined);
    if (to === 'expired' && (allocation.leaseUntil ?? Number.POSITIVE_INFINITY) > runtime.clock.now()) {
      return allocationView(allocation, await readGroup(runtime.store, allocation.group));
    }
    const group = await readGroup(runtime.store, allocation.group);
    if (group === undefined || group.status === 'closed') return undefined;
    const ended = await tryEnd(runtime, allocation, group, requester, to);
    if (ended === 'moving') {
      throw new ProblemError('moving', 'its resource is failing over right now: try again in a second', {
        retryAfterS: 1,
      });
    }
    return ended === 'again' ? undefined : ended;
  });

const tryEnd = async (
  runtime: Runtime,
  allocation: AllocationRecord,
  group: GroupRecord,
  requester: Requester,
  to: 'released' | 'expired',
): Promise<Allocation | 'again' | 'moving'> => {
  const extras = await givenBack(runtime, group);
  if (extras === undefined) return 'again';
  const event = nextEvent(
    entityOf.allocation(allocation.tenant, allocation.id),
    allocation.chain,
    originOf(requester, runtime.clock),
    `allocation.${to}`,
    { group: group.id, closed: group.count === 1 },
  );
  const outcome = await runtime.store.transact(
    endWrites(runtime.store, { allocation, group, extras, to, event }),
  );
  if (outcome.kind === 'done') {
    runtime.quotas.took(allocation.tenant, allocation.slice, subtract(ZERO, allocation.demand));
    const { resource, labscape } = group;
    if (resource !== undefined && labscape !== undefined)
      await wakeFor(runtime, { id: resource, labscape }, requester.request, 'freed');
    return allocationView({ ...allocation, state: to, endedAt: event.at }, undefined);
  }
  if (outcome.kind !== 'refused' || !outcome.failed.has('resource')) return 'again';
  // With devices the item comes along: their taken sub-slots may be what has changed.
  const item = outcome.failed.get('resource');
  return item === undefined || decodeResource(item).moving ? 'moving' : 'again';
};

/** What the end of one member gives back of spread keys and devices; undefined when the pictures do not fit together. */
const givenBack = async (runtime: Runtime, group: GroupRecord): Promise<Extras | undefined> => {
  const { resource, labscape, count, constraints } = group;
  if (resource === undefined || labscape === undefined) return NO_EXTRAS;
  // Its mark goes with the last member.
  const leaver = { ...group, count: 1, constraints: count === 1 ? constraints : {} };
  if (group.devices === undefined) return leaving({}, [leaver]);
  const home = await readResource(runtime.store, labscape, resource);
  return home === undefined ? undefined : leaving(home, [leaver]);
};

/** Extends a lease from now. Raises not-found, not-in-this-state, unavailable. */
export const renew = async (
  runtime: Runtime,
  ref: AllocationRef,
  leaseMs: number,
  requester: Requester,
): Promise<Allocation> =>
  untilWon(runtime, 'the allocation', async () => {
    const allocation = await found(runtime, ref);
    if (allocation.state !== 'active') {
      throw new ProblemError('not-in-this-state', `the allocation is ${allocation.state}: allocate again`);
    }
    const leaseUntil = runtime.clock.now() + leaseMs;
    const event = nextEvent(
      entityOf.allocation(allocation.tenant, allocation.id),
      allocation.chain,
      originOf(requester, runtime.clock),
      'allocation.renewed',
      { leaseUntil },
    );
    const outcome = await runtime.store.transact(renewWrites(runtime.store, allocation, leaseUntil, event));
    if (outcome.kind !== 'done') return undefined;
    return allocationView({ ...allocation, leaseUntil }, await readGroup(runtime.store, allocation.group));
  });
