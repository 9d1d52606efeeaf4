import type { Condition } from '../../failover/drill-schedule.ts';
import type { Drill } from '../../schemas/drills.ts';
import type { LabscapeRecord } from '../../store/fleet/labscapes.ts';
import type { FleetResource } from '../fleet.ts';
import { peersOf } from '../recovery/decision-facts.ts';

/** What a labscape with these resources, as they are known, says of a drill. */
export const conditionOf = (
  { policy, maintenance }: LabscapeRecord,
  own: readonly FleetResource[],
  elsewhere: boolean,
  now: number,
): Condition => ({
  recovering: own.some(({ recovery }) => recovery !== undefined),
  down: peersOf(own, policy.coolDownMs, now).down.size,
  ...{ maintenance, elsewhere },
});

/** The span of the last drill: its id says it. */
export const spanOf = (last: Drill | undefined) => last && { span: Number(last.id) };
