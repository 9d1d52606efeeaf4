import { mayRun } from '../../../lib/health/resource-status.ts';
import type { SeenResource } from './check-limits.ts';
import type { SeenAllocation } from './ledger.ts';

/**
 * Whatever is placed is on a resource that is there and may run it: a healthy one, or one that was suspect at the
 * moment of reading because a beat was late. Pure.
 */
export function checkHomes(
  listed: readonly SeenAllocation[],
  resources: readonly SeenResource[],
): readonly string[] {
  const statuses = new Map(resources.map(({ id, status }) => [id, status]));
  return listed.flatMap(({ id, status, resource }) => {
    if (status !== 'placed' || resource === undefined) return [];
    const home = statuses.get(resource);
    if (home === undefined) return [`allocation ${id} is on ${resource}, which is none of the drill's`];
    return mayRun(home) ? [] : [`allocation ${id} is on ${resource}, which is ${home}`];
  });
}
