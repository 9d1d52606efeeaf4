import { judge } from '../health/detector.ts';
import type { Status } from '../schemas/status.ts';
import { pendingGroups } from '../store/groups.ts';
import { type BeatRecord, readManyBeats } from '../store/heartbeats.ts';
import { allLabscapes, type LabscapeRecord } from '../store/labscapes.ts';
import { decodeRecovery, recoveriesPage } from '../store/recoveries.ts';
import { type ResourceRecord, resourcesOf } from '../store/resources.ts';
import type { Runtime } from './runtime.ts';
import { leaseEndMs } from './verdicts.ts';

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
  const oldest = Math.min(...pending.map((group) => group.since));
  return {
    at: now,
    labscapes: labscapes.map((labscape, index) => ({
      id: labscape.id,
      mode: labscape.policy.mode,
      maintenance: labscape.maintenance,
      resources: (resources[index] ?? []).map((r) => resourceStatus(r, labscape, beats[index], now)),
    })),
    recoveries: recoveries.items.map(decodeRecovery).map((recovery) => ({
      id: recovery.id,
      resource: recovery.resource,
      status: recovery.status,
      startedAt: recovery.startedAt,
    })),
    pending: { groups: pending.length, ...(pending.length === 0 ? {} : { oldestAt: oldest }) },
  };
};

const resourceStatus = (
  resource: ResourceRecord,
  labscape: LabscapeRecord,
  beats: BeatRecord | undefined,
  now: number,
): Status['labscapes'][number]['resources'][number] => {
  const pulse = beats?.pulses.get(resource.id);
  const { verdict, reason } = judge(pulse, now, {
    beatMs: labscape.policy.beatMs,
    leaseEndMs: leaseEndMs(labscape.policy),
  });
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
