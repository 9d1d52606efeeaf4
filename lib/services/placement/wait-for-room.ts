import { EMPTY_CHAIN, entityOf, headOf, nextEvent } from '../../audit/event.ts';
import { waitWrites } from '../../store/placement/allocation-writes.ts';
import type { AllocationRecord } from '../../store/placement/allocations.ts';
import type { GroupRecord } from '../../store/placement/groups.ts';
import { originOf } from '../origin.ts';
import type { Runtime } from '../runtime.ts';
import { noteWaiting } from '../waiting/pending-queue.ts';
import { bornWith } from './allocation-draft.ts';
import { allocationView } from './allocation-view.ts';
import { type Attempt, learnFrom, type Placing } from './attempt.ts';
import { newGroup } from './membership.ts';
import { describe, type Reasons } from './refusal.ts';

/** Accepts what fits nowhere: as a pending group of one, which counts against its quota. */
export const waitForRoom = async (runtime: Runtime, placing: Placing, reasons: Reasons): Promise<Attempt> => {
  const { request, draft, kind, slice } = placing;
  const reason = describe(reasons);
  const group: GroupRecord = { ...newGroup(runtime, draft, kind, undefined), tenant: draft.tenant, reason };
  const event = nextEvent(
    entityOf.allocation(draft.tenant, draft.id),
    EMPTY_CHAIN,
    originOf(request.requester, runtime.clock),
    'allocation.waiting',
    {
      class: draft.class,
      demand: draft.demand,
      ...(draft.devices === undefined ? {} : { devices: draft.devices }),
      constraints: draft.constraints,
      group: group.id,
      born: true,
      resource: null,
      leaseUntil: draft.leaseUntil ?? null,
      ...bornWith(draft, kind, slice.index),
      reason,
    },
  );
  const allocation: AllocationRecord = {
    ...draft,
    group: group.id,
    slice: slice.index,
    chain: headOf(event),
  };
  const outcome = await runtime.store.transact(
    waitWrites(runtime.store, { allocation, group, sliceCap: slice.cap, event }),
  );
  if (outcome.kind === 'raced') return { kind: 'raced' };
  if (outcome.kind === 'refused') return learnFrom(runtime, placing, group.id, outcome.failed);
  runtime.quotas.took(draft.tenant, slice.index, draft.demand);
  noteWaiting(runtime);
  return { kind: 'done', result: { kind: 'waiting', allocation: allocationView(allocation, group) } };
};
