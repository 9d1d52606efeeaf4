import type { DecisionFacts } from '../../failover/rules.ts';
import type { Trigger } from '../../schemas/recovery.ts';
import type { LabscapeRecord } from '../../store/labscapes.ts';
import type { ResourceRecord } from '../../store/resources.ts';
import type { FleetSnapshot } from '../fleet.ts';

/** What counts as one of a labscape's resources when shares of it are looked at. */
const takesPart = ({ status }: ResourceRecord): boolean => status !== 'retired' && status !== 'drained';

/** Down, or recovered so shortly ago that it belongs to the same trouble. */
const failedLately = (
  { status, lastRecoveryEndedAt }: ResourceRecord,
  coolDownMs: number,
  now: number,
): boolean =>
  status === 'failed' ||
  status === 'recovering' ||
  // An end that lies ahead is of before the clock was set back.
  (lastRecoveryEndedAt !== undefined && Math.abs(now - lastRecoveryEndedAt) < coolDownMs);

/** What the safety rules look at, from a picture of the fleet and the resource as it was read. Pure. */
export const factsOf = (
  snapshot: FleetSnapshot,
  labscape: LabscapeRecord,
  resource: ResourceRecord,
  trigger: Trigger,
  now: number,
): DecisionFacts => {
  const peers = snapshot.resources.filter((one) => one.labscape === resource.labscape && takesPart(one));
  return {
    now,
    trigger,
    mode: labscape.policy.mode,
    maintenance: labscape.maintenance,
    coolDownMs: labscape.policy.coolDownMs,
    breakerShare: labscape.policy.breakerShare,
    status: resource.status,
    lastRecoveryEndedAt: resource.lastRecoveryEndedAt,
    flaps: resource.flaps,
    labscapeResources: peers.length,
    labscapeUnhealthy: peers.filter(
      (one) => one.id === resource.id || failedLately(one, labscape.policy.coolDownMs, now),
    ).length,
    targets: snapshot.resources.filter(({ id, status }) => id !== resource.id && status === 'healthy').length,
    groups: resource.groups.length,
  };
};
