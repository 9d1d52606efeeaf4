import { weigh } from '../../failover/evidence.ts';
import { judge } from '../../health/detector.ts';
import { type Testimony, weighed } from '../../health/testimony.ts';
import type { Trigger } from '../../schemas/recovery.ts';
import { readBeats } from '../../store/fleet/heartbeats.ts';
import type { ResourceRecord } from '../../store/fleet/resources.ts';
import { type Heard, hear, leaseEndMs } from '../health/hearing.ts';
import type { Runtime } from '../runtime.ts';

type Seen = Pick<ResourceRecord, 'id' | 'status' | 'failedBy'>;

/** Whether the agent of a resource that the detector failed beats as if nothing had been. What people say stands. */
export const isBack = (
  { id, status, failedBy }: Seen,
  trigger: Trigger,
  heard: Heard,
  said?: Testimony,
): boolean => {
  const { beats, policy, readAt } = heard;
  const bounds = { beatMs: policy.beatMs, leaseEndMs: leaseEndMs(policy) };
  const { verdict } = weighed(judge(beats.pulses.get(id), readAt, bounds), said);
  return verdict === 'healthy' && weigh({ trigger, status, failedBy, verdict }) === 'beats-again';
};

/** The same of one resource, by its labscape's beats as they are now; for whoever is about to fence it. */
export const isBackAgain = async (
  runtime: Runtime,
  resource: ResourceRecord,
  trigger: Trigger,
): Promise<boolean> => {
  const [beats, labscape] = await Promise.all([
    readBeats(runtime.store, resource.labscape),
    runtime.fleet.labscape(resource.labscape),
  ]);
  if (labscape === undefined) return false;
  return isBack(resource, trigger, hear(runtime, beats, labscape.policy, runtime.clock.now()));
};
