import { groupsOn } from './check-moves.ts';
import { DrillError } from './drill-error.ts';
import type { SeenAllocation } from './ledger.ts';
import type { DrillSize } from './options.ts';

/** The victim holds at least this share of what an even spread would give it. */
const FAIR_SHARE_MIN = 0.9;

/** The resource with the most allocations, more groups at a tie. Throws DrillError when it holds too little. */
export function chooseVictim(before: readonly SeenAllocation[], size: DrillSize): string {
  const homes = [...new Set(before.flatMap(({ resource }) => resource ?? []))].map((id) => ({
    id,
    count: before.filter(({ resource }) => resource === id).length,
    groups: groupsOn(id, before).length,
  }));
  homes.sort((a, b) => b.count - a.count || b.groups - a.groups);
  const [victim] = homes;
  const least = Math.floor((FAIR_SHARE_MIN * size.allocations) / size.resources);
  if (victim === undefined || victim.count < least || victim.groups < size.groups) {
    throw new DrillError(
      `${victim?.id ?? 'nothing'} holds the most: ${victim?.count ?? 0} allocations in ${victim?.groups ?? 0} groups, at least ${least} in ${size.groups} were wanted`,
    );
  }
  return victim.id;
}
