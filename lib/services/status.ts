import { type Judged, judge } from '../health/detector.ts';
import type { Status } from '../schemas/status.ts';
import { pendingGroups } from '../store/groups.ts';
import { decodeBeats, readManyBeats } from '../store/heartbeats.ts';
import { allLabscapes } from '../store/labscapes.ts';
import { decodeRecovery, recoveriesPage } from '../store/recoveries.ts';
import { type ResourceRecord, resourcesOf } from '../store/resources.ts';
import { weigher } from './paces.ts';
import type { Runtime } from './runtime.ts';
import { type Heard, hear, leaseEndMs, mustStay, type Sight, sightOf } from './verdicts.ts';

/** Recoveries shown, newest first, and pending groups counted at most. */
const RECOVERIES_SHOWN = 20;
const PENDING_COUNTED = 500;

/** Verdicts, reasons and use of the whole fleet, as of now. */
export const fleetStatus = async (runtime: Runtime): Promise<Status> => {
  const labscapes = await allLabscapes(runtime.store);
  const [beats, resources, recoveries, pending] = await Promise.all([
    readManyBeats(
      runtime.store,
      labscapes.map((l) => l.id),
    ),
    Promise.all(labscapes.map((l) => resourcesOf(runtime.store, l.id))),
    recoveriesPage(runtime.store, RECOVERIES_SHOWN, undefined),
    pendingGroups(runtime.store, PENDING_COUNTED),
  ]);
  const now = runtime.clock.now();
  const rows = labscapes.map((labscape, index) => {
    const record = beats[index] ?? decodeBeats(labscape.id, undefined);
    const heard = hear(runtime, record, labscape.policy, now);
    return { labscape, heard, resources: resources[index] ?? [] };
  });
  const sight = sightOf(
    rows.map(({ heard }) => heard),
    now,
  );
  const oldest = Math.min(...pending.map((group) => group.since));
  return {
    at: now,
    labscapes: rows.map(({ labscape, heard, resources: own }) => {
      const weigh = weigher(labscape, heard.beats, now);
      return {
        id: labscape.id,
        mode: labscape.policy.mode,
        maintenance: labscape.maintenance,
        resources: own.map((r) => ({ ...resourceStatus(r, heard, sight), weight: weigh(r) })),
      };
    }),
    recoveries: recoveries.items.map(decodeRecovery).map((recovery) => ({
      id: recovery.id,
      resource: recovery.resource,
      status: recovery.status,
      startedAt: recovery.startedAt,
    })),
    pending: { groups: pending.length, ...(pending.length === 0 ? {} : { oldestAt: oldest }) },
  };
};

/** As the detector judges, and it does not judge silence while it is not sure to hear. */
const verdictOf = (resource: ResourceRecord, heard: Heard, sight: Sight): Judged => {
  const { beats, policy, readAt } = heard;
  const judged = judge(beats.pulses.get(resource.id), readAt, {
    beatMs: policy.beatMs,
    leaseEndMs: leaseEndMs(policy),
  });
  if (judged.verdict !== 'suspect' && judged.verdict !== 'failed') return judged;
  const since = judged.verdict === 'failed' ? sight.failing : sight.suspecting;
  if (since === undefined) return { verdict: 'unknown', reason: 'nobody is heard: no verdict falls' };
  if (!mustStay(heard, since)) return judged;
  return { verdict: 'unknown', reason: 'hearing again only now: no verdict falls for the time of a lease' };
};

const resourceStatus = (
  resource: ResourceRecord,
  heard: Heard,
  sight: Sight,
): Omit<Status['labscapes'][number]['resources'][number], 'weight'> => {
  const pulse = heard.beats.pulses.get(resource.id);
  const { verdict, reason } = verdictOf(resource, heard, sight);
  return {
    id: resource.id,
    status: resource.status,
    verdict,
    reason: resource.status === 'healthy' ? reason : resource.statusReason,
    since: resource.since,
    ...(pulse === undefined ? {} : { lastBeatAt: pulse.lastAt }),
    capacity: resource.capacity,
    limit: resource.limit,
    used: resource.used,
    groups: resource.groups.length,
    epoch: resource.epoch,
    ...(resource.recovery === undefined ? {} : { recovery: resource.recovery }),
  };
};
