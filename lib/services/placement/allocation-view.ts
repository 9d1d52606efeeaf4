import { isProtectedKind } from '../../allocation/groups.ts';
import type { Allocation } from '../../schemas/allocation.ts';
import type { AllocationRecord } from '../../store/placement/allocations.ts';
import type { GroupRecord } from '../../store/placement/groups.ts';

const SPEC_LOST = 'what it runs was lost: send its request again, with the same Idempotency-Key';

/** An allocation as its tenant sees it: where it runs is where its group is. */
export const allocationView = (allocation: AllocationRecord, group: GroupRecord | undefined): Allocation => {
  const active = allocation.state === 'active';
  const placed = active && group?.status === 'placed';
  return {
    id: allocation.id,
    tenant: allocation.tenant,
    status: allocation.state === 'active' ? (placed ? 'placed' : 'pending') : allocation.state,
    class: allocation.class,
    demand: allocation.demand,
    ...(allocation.devices === undefined ? {} : { devices: allocation.devices }),
    constraints: allocation.constraints,
    ...(active ? { group: allocation.group } : {}),
    ...(active && group !== undefined ? { groupEpoch: group.epoch } : {}),
    ...(placed && group.resource !== undefined ? { resource: group.resource } : {}),
    ...(placed && group.labscape !== undefined ? { labscape: group.labscape } : {}),
    ...(placed && group.deviceMap !== undefined ? { deviceIndexes: [...group.deviceMap] } : {}),
    ...(placed ? { running: group.runningEpoch === group.epoch && group.runningCount >= group.count } : {}),
    ...(group !== undefined && isProtectedKind(group.kind) ? { protected: true } : {}),
    ...(active && !placed && group?.reason !== undefined ? { reason: group.reason } : {}),
    ...(allocation.leaseUntil === undefined ? {} : { leaseUntil: allocation.leaseUntil }),
    ...(allocation.spec === undefined ? {} : { spec: allocation.spec }),
    ...(active && group?.data !== undefined ? { data: group.data } : {}),
    ...(allocation.specLost === true ? { warning: SPEC_LOST } : {}),
    ...(allocation.adoptedOn === undefined ? {} : { adoptedOn: allocation.adoptedOn }),
    createdAt: allocation.createdAt,
    ...(allocation.endedAt === undefined ? {} : { endedAt: allocation.endedAt }),
  };
};
