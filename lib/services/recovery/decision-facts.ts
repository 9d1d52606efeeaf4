import type { DecisionFacts } from '../../failover/rules.ts';
import { seenBy } from '../../health/labscape-sight.ts';
import type { Trigger } from '../../schemas/recovery.ts';
import type { SeenLabscape } from '../../schemas/rule.ts';
import { readManyBeats } from '../../store/fleet/heartbeats.ts';
import type { LabscapeRecord } from '../../store/fleet/labscapes.ts';
import type { ResourceRecord } from '../../store/fleet/resources.ts';
import type { FleetSnapshot } from '../fleet.ts';
import { type Heard, hear } from '../health/hearing.ts';
import { labscapeHeard } from '../health/sight.ts';
import type { Runtime } from '../runtime.ts';

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

/** How every labscape is heard now, for the rules; by labscape. One read for 100 of them. */
export const seenFleet = async (
  runtime: Runtime,
  { labscapes }: Pick<FleetSnapshot, 'labscapes'>,
): Promise<ReadonlyMap<string, SeenLabscape>> => {
  const records = [...labscapes.values()];
  const now = runtime.clock.now();
  const beats = await readManyBeats(
    runtime.store,
    records.map(({ id }) => id),
  );
  const fleet = records.flatMap(({ policy }, at): Heard[] => {
    const record = beats[at];
    return record === undefined ? [] : [hear(runtime, record, policy, now)];
  });
  const heard = fleet.map(labscapeHeard);
  return new Map(heard.map((one) => [one.id, seenBy(one, heard, now)]));
};

/** A verdict that fell before the silence that a fresh grace follows was no part of it. */
const doubted = (
  { status, since }: Pick<ResourceRecord, 'status' | 'since'>,
  { doubt, ...seen }: SeenLabscape,
): SeenLabscape =>
  doubt === undefined || (doubt.kind === 'fresh-grace' && status === 'failed' && since < doubt.since)
    ? seen
    : { ...seen, doubt };

/** Of one labscape: resources that count, and those of them that are down or were lately. */
export interface Peers {
  readonly counted: number;
  readonly down: ReadonlySet<string>;
  readonly has: ReadonlySet<string>;
}

/** Of the resources of one labscape; `coolDownMs`: how long a failure counts as lately. Pure. */
export const peersOf = (own: readonly ResourceRecord[], coolDownMs: number, now: number): Peers => {
  const peers = own.filter(takesPart);
  return {
    counted: peers.length,
    down: new Set(peers.filter((one) => failedLately(one, coolDownMs, now)).map(({ id }) => id)),
    has: new Set(peers.map(({ id }) => id)),
  };
};

/** What the safety rules look at, of one of many resources of a picture whose counts are known. Pure. */
export const factsAmong = (
  { peers, healthy }: { readonly peers: Peers; readonly healthy: number },
  labscape: LabscapeRecord,
  resource: ResourceRecord,
  trigger: Trigger,
  now: number,
  /** Undefined where a person asks. */
  sight: SeenLabscape | undefined,
): DecisionFacts => {
  const { id, status, lastRecoveryEndedAt, flaps, groups } = resource;
  const { mode, coolDownMs, breakerShare } = labscape.policy;
  return {
    ...{ now, trigger, mode, maintenance: labscape.maintenance, coolDownMs, breakerShare },
    ...{ status, lastRecoveryEndedAt, flaps },
    labscapeResources: peers.counted,
    labscapeUnhealthy: peers.down.size + Number(peers.has.has(id) && !peers.down.has(id)),
    targets: healthy - Number(status === 'healthy'),
    groups: groups.length,
    ...(sight === undefined ? {} : { sight: doubted(resource, sight) }),
  };
};

/** What the safety rules look at, from a picture of the fleet and the resource as it was read. Pure. */
export const factsOf = (
  { resources }: FleetSnapshot,
  labscape: LabscapeRecord,
  resource: ResourceRecord,
  trigger: Trigger,
  now: number,
  sight: SeenLabscape | undefined,
): DecisionFacts => {
  const own = resources.filter((one) => one.labscape === resource.labscape);
  const others = resources.filter(({ id, status }) => id !== resource.id && status === 'healthy').length;
  const peers = peersOf(own, labscape.policy.coolDownMs, now);
  const healthy = others + Number(resource.status === 'healthy');
  return factsAmong({ peers, healthy }, labscape, resource, trigger, now, sight);
};
