import { ProblemError } from '../../errors.ts';
import type { Allocation } from '../../schemas/allocation.ts';
import type { CopiesInput } from '../../schemas/data.ts';
import { readAllocation } from '../../store/placement/allocations.ts';
import { readGroup, writeData } from '../../store/placement/groups.ts';
import { untilWon } from '../retry.ts';
import type { Runtime } from '../runtime.ts';
import { allocationView } from './allocation-view.ts';

/**
 * Takes in where copies of an allocation's data are now, in place of what was said before. A copy of the same resource is
 * never older than it was: words may overtake each other. An observation, like a heartbeat: the trail does not tell of it;
 * the capsule of a recovery says what was known. Raises not-found, not-in-this-state (ended, or allocated without data),
 * unavailable.
 */
export const putCopies = async (
  runtime: Runtime,
  { tenant, id }: { readonly tenant: string; readonly id: string },
  copies: CopiesInput['copies'],
): Promise<Allocation> =>
  untilWon(runtime, 'the allocation', async () => {
    const allocation = await readAllocation(runtime.store, tenant, id);
    if (allocation === undefined)
      throw new ProblemError('not-found', `tenant ${tenant} has no allocation ${id}`);
    const group =
      allocation.state === 'active' ? await readGroup(runtime.store, allocation.group) : undefined;
    if (group?.data === undefined)
      throw new ProblemError(
        'not-in-this-state',
        allocation.state === 'active'
          ? 'it was allocated without `data`, and shares its group with others'
          : `the allocation is ${allocation.state}`,
      );
    const known = new Map(group.data.copies.map(({ resource, asOf }) => [resource, asOf]));
    const data = {
      ...group.data,
      copies: copies.map(({ resource, asOf }) => ({
        resource,
        asOf: Math.max(asOf, known.get(resource) ?? asOf),
      })),
    };
    const written = await writeData(runtime.store, group, data);
    return written ? allocationView(allocation, { ...group, data }) : undefined;
  });
