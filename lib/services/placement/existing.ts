import { ProblemError } from '../../errors.ts';
import { specWrites } from '../../store/placement/allocation-writes.ts';
import { type AllocationRecord, readAllocation } from '../../store/placement/allocations.ts';
import { type GroupRecord, readGroup } from '../../store/placement/groups.ts';
import type { Runtime } from '../runtime.ts';
import type { Allocated, AllocateRequest, Draft } from './allocation-draft.ts';
import { allocationView } from './allocation-view.ts';

/** What this Idempotency-Key was used for before; undefined: for nothing. Raises idempotency-mismatch. */
export const existingOf = async (
  runtime: Runtime,
  request: AllocateRequest,
  draft: Draft,
): Promise<Allocated | undefined> => {
  const found = await readAllocation(runtime.store, draft.tenant, draft.id);
  return found === undefined ? undefined : existingView(runtime, request, draft, found);
};

/** The allocation that was `found` under the key. Raises idempotency-mismatch where another body made it. */
export const existingView = async (
  runtime: Runtime,
  request: AllocateRequest,
  draft: Draft,
  found: AllocationRecord,
): Promise<Allocated> => {
  if (found.requestHash !== draft.requestHash) {
    throw new ProblemError(
      'idempotency-mismatch',
      'this Idempotency-Key was used before with another body: use a new key',
      {
        errors: [
          {
            field: 'Idempotency-Key',
            reason: `already used for allocation ${found.id} of tenant ${request.tenant}`,
          },
        ],
      },
    );
  }
  const group = found.state === 'active' ? await readGroup(runtime.store, found.group) : undefined;
  const whole = await withSpec(runtime, draft, found, group);
  return { kind: 'existing', allocation: allocationView(whole, group) };
};

/** One that was lost, and made again but for its spec, gets that back: the hash says that it is the same. */
export const withSpec = async (
  runtime: Runtime,
  { spec }: Draft,
  found: AllocationRecord,
  group: GroupRecord | undefined,
): Promise<AllocationRecord> => {
  if (found.specLost !== true || spec === undefined || group === undefined) return found;
  const { resource: id, labscape } = group;
  const home = id === undefined || labscape === undefined ? undefined : { id, labscape };
  const { kind } = await runtime.store.transact(specWrites(runtime.store, found, spec, home));
  return kind === 'done' ? { ...found, spec, specLost: false } : found;
};
