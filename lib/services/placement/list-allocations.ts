import * as z from 'zod';
import type { Allocation } from '../../schemas/allocation.ts';
import {
  allocationsPage,
  decodeAllocation,
  LAST_ALLOCATION_SHARD,
} from '../../store/placement/allocations.ts';
import { readGroups } from '../../store/placement/groups.ts';
import { itemOf, StartKey, startKeyOf } from '../../store/table/cursor-key.ts';
import type { Runtime } from '../runtime.ts';
import { allocationView } from './allocation-view.ts';

export const AllocationCursor = z.strictObject({
  shard: z.int().min(0).max(LAST_ALLOCATION_SHARD),
  key: StartKey.optional(),
});
export type AllocationCursor = z.infer<typeof AllocationCursor>;

/** One page of a tenant's allocations, shard by shard; tombstones included. */
export const listAllocations = async (
  runtime: Runtime,
  tenant: string,
  limit: number,
  cursor: AllocationCursor = { shard: 0 },
): Promise<{ items: readonly Allocation[]; next: AllocationCursor | undefined }> => {
  const records = [];
  let at: AllocationCursor | undefined = cursor;
  while (at !== undefined && records.length < limit) {
    const page = await allocationsPage(
      runtime.store,
      tenant,
      at.shard,
      limit - records.length,
      itemOf(at.key),
    );
    records.push(...page.items.map(decodeAllocation));
    const key = startKeyOf(page.next);
    if (key !== undefined) at = { shard: at.shard, key };
    else at = at.shard < LAST_ALLOCATION_SHARD ? { shard: at.shard + 1 } : undefined;
  }
  const active = [...new Set(records.filter((r) => r.state === 'active').map((r) => r.group))];
  const groups = new Map((await readGroups(runtime.store, active)).map((group) => [group.id, group]));
  return { items: records.map((record) => allocationView(record, groups.get(record.group))), next: at };
};
