import type { Clock } from '../../clock.ts';
import type { Manifest } from '../../schemas/backup.ts';
import type { ObjectStore } from '../../store/objects.ts';
import { loadBackup } from './load.ts';
import { newestBackup } from './manifest.ts';
import { BackupDamaged } from './parts.ts';
import { planRestore } from './restore-plan.ts';
import type { RestorePlan, State } from './restore-types.ts';
import { stateFaults } from './verify.ts';

export interface Drilled {
  readonly manifest: Manifest;
  readonly faults: readonly string[];
}

/**
 * Restores the newest backup into memory as it would be into an empty control plane, and checks all of the result: its
 * chains, its fold, its sums, limits and quotas. Raises BackupDamaged.
 */
export async function drillBackup(objects: ObjectStore, clock: Pick<Clock, 'now'>): Promise<Drilled> {
  const newest = await newestBackup(objects);
  if (newest === undefined) throw new BackupDamaged('there is no backup whose manifest is whole');
  const backup = await loadBackup(objects, newest.id);
  const origin = { actor: 'system:backup', request: 'drill', at: clock.now() };
  const live = { items: [], events: [] };
  const plan = planRestore({ id: newest.id, backup, live, point: newest.point, scope: {}, origin });
  const { items, events } = resultOf(plan);
  return { manifest: newest, faults: [...plan.conflicts, ...stateFaults(items, events)] };
}

/** What a plan leaves in a place that was empty. */
export const resultOf = ({ items, units, events }: RestorePlan): State => ({
  items: [...items, ...units.flatMap((unit) => unit.items)].map(({ item }) => item),
  events: [...events, ...units.flatMap((unit) => unit.events)],
});
