import { type DetectorPolicy, type Judged, judge } from '../../health/detector.ts';
import { type LabscapeHeard, labscapeSight } from '../../health/labscape-sight.ts';
import { weighed } from '../../health/testimony.ts';
import type { Status } from '../../schemas/status.ts';
import { decodeBeats, readManyBeats } from '../../store/fleet/heartbeats.ts';
import { allLabscapes } from '../../store/fleet/labscapes.ts';
import { readLabscapeReadiness } from '../../store/fleet/readiness.ts';
import { type ResourceRecord, resourcesOfEach } from '../../store/fleet/resources.ts';
import { pendingGroups } from '../../store/placement/groups.ts';
import { decodeRecovery, recoveriesPage } from '../../store/recovery/recoveries.ts';
import { labscapeView } from '../readiness/view.ts';
import { weigher } from '../rebalancing/paces.ts';
import { returningView } from '../registry/resource-view.ts';
import type { Runtime } from '../runtime.ts';
import { type Heard, hear } from './hearing.ts';
import { labscapeHeard, type Sight, sightOf } from './sight.ts';
import { detectorFor, mustStay } from './verdicts.ts';

/** Recoveries shown, newest first, and pending groups counted at most. */
const RECOVERIES_SHOWN = 20;
const PENDING_COUNTED = 500;

/** Verdicts, reasons and use of the whole fleet, as of now. */
export const fleetStatus = async (runtime: Runtime): Promise<Status> => {
  const labscapes = await allLabscapes(runtime.store);
  const [beats, resources, recoveries, pending, readiness] = await Promise.all([
    readManyBeats(
      runtime.store,
      labscapes.map((l) => l.id),
    ),
    resourcesOfEach(
      runtime.store,
      labscapes.map(({ id }) => id),
    ),
    recoveriesPage(runtime.store, RECOVERIES_SHOWN, undefined),
    pendingGroups(runtime.store, PENDING_COUNTED),
    readLabscapeReadiness(
      runtime.store,
      labscapes.map((l) => l.id),
    ),
  ]);
  const readinessOf = new Map(readiness.map((row) => [row.labscape, labscapeView(row)]));
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
  const fleet = rows.map(({ heard }) => labscapeHeard(heard));
  const oldest = Math.min(...pending.map((group) => group.since));
  return {
    at: now,
    labscapes: rows.map(({ labscape, heard, resources: own }, index) => {
      const weigh = weigher(labscape, heard.beats, now);
      const detector = detectorFor(own, heard);
      return {
        id: labscape.id,
        mode: labscape.policy.mode,
        maintenance: labscape.maintenance,
        ...sightView(fleet, index, now),
        readiness: readinessOf.get(labscape.id),
        resources: own.map((r) => ({ ...resourceStatus(r, heard, sight, detector), weight: weigh(r) })),
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

const sightView = (
  fleet: readonly LabscapeHeard[],
  index: number,
  now: number,
): Pick<Status['labscapes'][number], 'sight'> => {
  const one = fleet[index];
  if (one === undefined) return {};
  const { unreachableBy, ...sight } = labscapeSight(one, fleet, now);
  const heardAt = one.heardAt === undefined ? {} : { heardAt: one.heardAt };
  return { sight: { ...sight, ...heardAt, unreachableBy: [...unreachableBy] } };
};

/** As the detector judges, and it does not judge silence while it is not sure to hear. */
const verdictOf = (
  resource: ResourceRecord,
  heard: Heard,
  sight: Sight,
  detector: DetectorPolicy,
): Judged => {
  const { beats, readAt } = heard;
  const said = sight.testimony.get(resource.id);
  const pulse = beats.pulses.get(resource.id);
  const word = beats.words.get(resource.id);
  const told = pulse?.status === 'degraded' ? { ...pulse, word } : pulse;
  const judged = weighed(judge(told, readAt, detector), said);
  if (judged.verdict !== 'suspect' && judged.verdict !== 'failed') return judged;
  const since = judged.verdict === 'failed' ? sight.failing : sight.suspecting;
  if (since === undefined) return { verdict: 'unknown', reason: 'nobody is heard: no verdict falls' };
  const frozenSince = sight.frozen.get(resource.labscape);
  if (judged.verdict === 'failed' && frozenSince !== undefined)
    return {
      ...{ verdict: 'unknown', since: frozenSince },
      reason: 'most labscapes fell silent at once: no verdict falls',
    };
  if (!mustStay(heard, since)) return judged;
  return { verdict: 'unknown', reason: 'hearing again only now: no verdict falls for the time of a lease' };
};

/** Of silence since it lasted too long, of a verdict that was written since then, of a word since it was heard. */
const sinceOf = (
  { verdict, since }: Judged,
  resource: ResourceRecord,
  lastAt: number | undefined,
): number | undefined => since ?? (resource.status === verdict ? resource.since : lastAt);

const resourceStatus = (
  resource: ResourceRecord,
  heard: Heard,
  sight: Sight,
  detector: DetectorPolicy,
): Omit<Status['labscapes'][number]['resources'][number], 'weight'> => {
  const pulse = heard.beats.pulses.get(resource.id);
  const judged = verdictOf(resource, heard, sight, detector);
  const { verdict, reason } = judged;
  const verdictSince = sinceOf(judged, resource, pulse?.lastAt);
  return {
    id: resource.id,
    status: resource.status,
    verdict,
    // Why it was suspected first may be another thing than why it still is.
    reason:
      resource.status === 'healthy' || (resource.status === 'suspect' && verdict === 'suspect')
        ? reason
        : resource.statusReason,
    since: resource.since,
    ...(verdictSince === undefined ? {} : { verdictSince }),
    ...(pulse === undefined ? {} : { lastBeatAt: pulse.lastAt }),
    capacity: resource.capacity,
    limit: resource.limit,
    used: resource.used,
    groups: resource.groups.length,
    epoch: resource.epoch,
    ...(resource.recovery === undefined ? {} : { recovery: resource.recovery }),
    ...returningView(resource, heard.policy, heard.readAt),
  };
};
