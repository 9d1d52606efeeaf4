import type { Drill } from '../../schemas/drills.ts';
import { lastDrills } from '../../store/recovery/drills.ts';
import { getLabscape } from '../registry/labscapes.ts';
import type { Runtime } from '../runtime.ts';

/** Drills that are listed. */
const SHOWN = 50;

/** The last drills of a labscape, newest first. Raises not-found. */
export const listDrills = async (runtime: Runtime, labscape: string): Promise<Drill[]> => {
  await getLabscape(runtime, labscape);
  return [...(await lastDrills(runtime.store, labscape, SHOWN))];
};
