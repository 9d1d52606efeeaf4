import { decideDrill } from '../../failover/drill-schedule.ts';
import type { Drill } from '../../schemas/drills.ts';
import { lastDrills } from '../../store/recovery/drills.ts';
import { getLabscape } from '../registry/labscapes.ts';
import type { Runtime } from '../runtime.ts';
import { conditionOf, spanOf } from './condition.ts';

/** Drills that are listed. */
const SHOWN = 50;

export interface DrillsView {
  /** Newest first. */
  readonly items: Drill[];
  /** Why the one that is due has not begun. */
  readonly waits?: string;
}

/** The last drills of a labscape, and what keeps the next one, by what is known of the fleet now. Raises not-found. */
export const listDrills = async (runtime: Runtime, id: string): Promise<DrillsView> => {
  await getLabscape(runtime, id);
  const items = [...(await lastDrills(runtime.store, id, SHOWN))];
  const { labscapes, resources } = await runtime.fleet.snapshot();
  const labscape = labscapes.get(id);
  if (labscape === undefined) return { items };
  const now = runtime.clock.now();
  const own = resources.filter((resource) => resource.labscape === id);
  const elsewhere = resources.some((one) => one.labscape !== id && one.recovery !== undefined);
  const condition = conditionOf(labscape, own, elsewhere, now);
  const decision = decideDrill(labscape.policy.drills, spanOf(items[0]), condition, now);
  return decision.kind === 'wait' ? { items, waits: decision.why } : { items };
};
