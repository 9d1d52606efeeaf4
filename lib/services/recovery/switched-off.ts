import { ProblemError } from '../../errors.ts';
import { readLabscape } from '../../store/fleet/labscapes.ts';
import type { Runtime } from '../runtime.ts';

/** Whether nothing at all is to recover in a labscape, as it stands now: no picture of it is asked. */
export const isOff = async (runtime: Pick<Runtime, 'store'>, labscape: string): Promise<boolean> =>
  (await readLabscape(runtime.store, labscape))?.policy.mode === 'off';

/** Off is total: what a person asks for is refused, too, and says so. Raises not-in-this-state. */
export const refuseIfOff = async (runtime: Pick<Runtime, 'store'>, labscape: string): Promise<void> => {
  if (!(await isOff(runtime, labscape))) return;
  throw new ProblemError(
    'not-in-this-state',
    `labscape ${labscape} is switched off, nothing recovers there: set its mode to observe, ask or automatic first`,
  );
};
