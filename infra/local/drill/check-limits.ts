import type * as z from 'zod';
import type { Vector } from '../../../lib/schemas/common.ts';
import type { Resource } from '../../../lib/schemas/resource.ts';
import { add, equals, firstOver, ZERO } from '../../../lib/vector.ts';
import type { Ledger, SeenAllocation } from './ledger.ts';

export type SeenResource = z.output<typeof Resource>;

/** No resource over its limit, and each counts exactly what the ledger's allocations on it ask for. Pure. */
export function checkLimits(
  ledger: Ledger,
  listed: readonly SeenAllocation[],
  resources: readonly SeenResource[],
): readonly string[] {
  const sums = new Map<string, Vector>();
  for (const { id, resource } of listed) {
    const entry = ledger.get(id);
    if (entry === undefined || resource === undefined) continue;
    sums.set(resource, add(sums.get(resource) ?? ZERO, entry.demand));
  }
  return resources.flatMap(({ id, used, limit }) => {
    const faults: string[] = [];
    const over = firstOver(used, limit);
    if (over !== undefined) {
      faults.push(`resource ${id} uses ${used[over]} of ${over}, its limit is ${limit[over]}`);
    }
    const sum = sums.get(id) ?? ZERO;
    if (!equals(used, sum)) {
      faults.push(
        `resource ${id} counts ${JSON.stringify(used)}, its allocations ask for ${JSON.stringify(sum)}`,
      );
    }
    return faults;
  });
}
