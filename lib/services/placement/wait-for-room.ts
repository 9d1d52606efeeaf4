import { waitWrites } from '../../store/placement/allocation-writes.ts';
import type { GroupRecord } from '../../store/placement/groups.ts';
import type { Runtime } from '../runtime.ts';
import { noteWaiting } from '../waiting/pending-queue.ts';
import { allocationView } from './allocation-view.ts';
import { type Attempt, learnFrom, type Placing } from './attempt.ts';
import { newGroup } from './membership.ts';
import { newAllocation } from './new-allocation.ts';
import { describe, type Reasons } from './refusal.ts';

/** Accepts what fits nowhere: as a pending group of one, which counts against its quota. */
export const waitForRoom = async (runtime: Runtime, placing: Placing, reasons: Reasons): Promise<Attempt> => {
  const { request, draft, kind, slice } = placing;
  const reason = describe(reasons);
  const group: GroupRecord = { ...newGroup(runtime, draft, kind, undefined), tenant: draft.tenant, reason };
  const { allocation, event } = newAllocation(runtime, placing, {
    ...{ type: 'allocation.waiting', group: group.id, requester: request.requester },
    told: {
      ...(draft.devices === undefined ? {} : { devices: draft.devices }),
      ...{ born: true, resource: null, leaseUntil: draft.leaseUntil ?? null, reason },
    },
  });
  const outcome = await runtime.store.transact(
    waitWrites(runtime.store, { allocation, group, sliceCap: slice.cap, event }),
  );
  if (outcome.kind === 'raced') return { kind: 'raced' };
  if (outcome.kind === 'refused') return learnFrom(runtime, placing, group.id, outcome.failed);
  runtime.quotas.took(draft.tenant, slice.index, draft.demand);
  noteWaiting(runtime);
  return { kind: 'done', result: { kind: 'waiting', allocation: allocationView(allocation, group) } };
};
