import { extrasFaults } from '../../allocation/extras.ts';
import type { Runtime } from '../../services/runtime.ts';
import { type ResourceRecord, readResources } from '../../store/fleet/resources.ts';
import { readGroups } from '../../store/placement/groups.ts';
import type { RecoveryRecord } from '../../store/recovery/recoveries.ts';
import { equals, firstOver, sum } from '../../vector.ts';

/** The failed resource and every resource that took something from it. */
export const scopeOf = async (
  runtime: Runtime,
  recovery: RecoveryRecord,
): Promise<readonly ResourceRecord[]> => {
  const ids = [recovery.resource, ...new Set(recovery.moves.map((move) => move.to))];
  const homes = await Promise.all(
    ids.map(async (id) => ({ id, labscape: (await runtime.fleet.labscapeOf(id)) ?? recovery.labscape })),
  );
  return readResources(runtime.store, homes);
};

/** One sentence per broken invariant: used = Σ groups, used ≤ limit, each group owned by the resource that counts it. */
const checkScope = async (runtime: Runtime, recovery: RecoveryRecord): Promise<readonly string[]> => {
  const resources = await scopeOf(runtime, recovery);
  const checked = await Promise.all(
    resources.map(async (resource) => {
      const groups = await readGroups(
        runtime.store,
        resource.groups.map((ref) => ref.group),
      );
      const faults: string[] = [];
      const over = firstOver(resource.used, resource.limit);
      if (over !== undefined)
        faults.push(
          `${resource.id}: ${over} ${resource.used[over]} passes its limit ${resource.limit[over]}`,
        );
      for (const group of groups) {
        if (group.resource !== resource.id)
          faults.push(`${resource.id}: counts group ${group.id} of ${group.resource ?? 'nobody'}`);
      }
      // Two reads with writes in between may disagree; a second look is taken before it is called a fault.
      if (
        !equals(resource.used, sum(groups.map((group) => group.demand))) ||
        groups.length !== resource.groups.length
      ) {
        faults.push(`${resource.id}: used is not the sum of its groups`);
      }
      faults.push(...extrasFaults(resource, groups).map((fault) => `${resource.id}: ${fault}`));
      return faults;
    }),
  );
  return checked.flat();
};

/** Looks again before a fault is believed: the reads of one look are not one snapshot. */
export const checkScopeTwice = async (
  runtime: Runtime,
  recovery: RecoveryRecord,
): Promise<readonly string[]> => {
  for (let look = 1; ; look += 1) {
    const faults = await checkScope(runtime, recovery);
    if (faults.length === 0 || look >= LOOKS_MAX) return faults;
    await runtime.sleep(LOOK_AGAIN_MS * look);
  }
};

const LOOKS_MAX = 4;
const LOOK_AGAIN_MS = 15;
