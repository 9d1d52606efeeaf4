import { ProblemError } from '../../errors.ts';
import { leaseEndsAt } from '../../failover/fencing.ts';
import {
  type DetectorPolicy,
  graceUntil,
  isAhead,
  type Pulse,
  pauseOf,
  rises,
} from '../../health/detector.ts';
import { frozenOf, type LabscapeHeard } from '../../health/labscape-sight.ts';
import { type Testimony, testimonyOf, type Voice } from '../../health/testimony.ts';
import { type StatusStep, stepFor, type Watched } from '../../health/transition.ts';
import type { Policy } from '../../schemas/labscape.ts';
import type { BeatRecord, HeardNow } from '../../store/fleet/heartbeats.ts';
import type { ResourceRecord } from '../../store/fleet/resources.ts';
import { system } from '../origin.ts';
import { changeStatus } from '../registry/resources.ts';
import type { Runtime } from '../runtime.ts';
import { wakeFor } from '../waiting/pending-queue.ts';

/** Silence after which no agent of this policy still runs anything, ms. */
export const leaseEndMs = (policy: Policy): number => leaseEndsAt(0, policy.leaseMs);

/**
 * What a batch that is taken in now says of the controller's own hearing. If everybody was silent until now it was the
 * controller that was blind. If the clock was set back since the last batch nobody can tell how long ago that was.
 */
export const heardNow = (before: BeatRecord, policy: Policy, now: number): HeardNow => {
  const leaseMs = leaseEndMs(policy);
  const { heardAt } = before;
  if (heardAt === undefined) return { heardAt: now, heardSince: now };
  if (isAhead(heardAt, now, leaseMs))
    return { heardAt: now, graceUntil: now + leaseMs, setBackFrom: Math.max(heardAt, before.setBackFrom) };
  const pauseMs = pauseOf(before.pulses.values(), policy.beatMs);
  const until = graceUntil(heardAt, now, leaseMs, pauseMs);
  return until === undefined ? { heardAt: now } : { heardAt: now, graceUntil: until, silentFrom: heardAt };
};

/** Whether the labscape's last batch is younger than that, ms. A clock that was set back tells nothing. */
const hears = ({ beats: { heardAt }, policy }: Heard, now: number, withinMs: number): boolean =>
  heardAt !== undefined && now - heardAt <= withinMs && !isAhead(heardAt, now, leaseEndMs(policy));

/** A labscape's beats and the policy that sets their pace. */
export interface Heard {
  readonly beats: BeatRecord;
  readonly policy: Policy;
  /** When the beats were asked for, epoch ms: what the controller itself is late by is nobody's silence. */
  readonly readAt: number;
}

/** Where a warm function first met a beat whose clock says nothing. */
interface Met {
  readonly lastAt: number;
  readonly sinceMs: number;
}
/** By resource. */
const metUntold = new WeakMap<object, Map<string, Met>>();

/** Whether a beat came in while the clock was set back, which it is no more. */
const isUnderWrongClock = (
  { heardAt, setBackFrom }: BeatRecord,
  pulse: Pulse,
  now: number,
  leaseMs: number,
): boolean =>
  heardAt !== undefined &&
  isAhead(setBackFrom, heardAt, leaseMs) &&
  !isAhead(setBackFrom, now, leaseMs) &&
  !isAhead(pulse.lastAt, heardAt, leaseMs);

/**
 * What was heard, told by the clock as it goes now. Whose last beat lies ahead since the clock was set back, or was
 * taken in under such a clock that has been put right since, counts as heard when this warm function first met it so: a
 * fresh lease, and no silence until the clock is there again.
 */
export const hear = (
  runtime: Pick<Runtime, 'clock'>,
  beats: BeatRecord,
  policy: Policy,
  readAt: number,
): Heard => {
  const leaseMs = leaseEndMs(policy);
  const met = metUntold.get(runtime) ?? new Map<string, Met>();
  metUntold.set(runtime, met);
  const atMs = runtime.clock.monotonicMs();
  const retold = (id: string, pulse: Pulse): Pulse => {
    if (!isAhead(pulse.lastAt, readAt, leaseMs) && !isUnderWrongClock(beats, pulse, readAt, leaseMs)) {
      met.delete(id);
      return pulse;
    }
    const known = met.get(id);
    const first = known?.lastAt === pulse.lastAt ? known : { lastAt: pulse.lastAt, sinceMs: atMs };
    met.set(id, first);
    return { ...pulse, lastAt: readAt - Math.round(atMs - first.sinceMs) };
  };
  const pulses = new Map([...beats.pulses].map(([id, pulse]) => [id, retold(id, pulse)]));
  // A grace, or a beginning, of before would stay all verdicts for as long as the clock was set back.
  const fresh = (at: number): number => (isAhead(at, readAt, leaseMs) ? 0 : at);
  const { graceUntil, heardSince } = beats;
  return {
    beats: { ...beats, pulses, graceUntil: fresh(graceUntil), heardSince: fresh(heardSince) },
    policy,
    readAt,
  };
};

/**
 * Since when the controller has heard some labscape without a break, epoch ms; undefined when it hears none. Who was
 * silent before that may have been beating at a controller that was blind.
 */
export interface Sight {
  /** By batches that are no older than a rhythm allows: before this nobody fails. */
  readonly failing: number | undefined;
  /** By batches within a lease: before this nobody becomes suspect. */
  readonly suspecting: number | undefined;
  /** Labscapes that fell silent together with most others: nobody fails there. Since when, epoch ms. */
  readonly frozen: ReadonlyMap<string, number>;
  /** What labscapes say of others' resources, by resource. */
  readonly testimony: ReadonlyMap<string, Testimony>;
}

/** Of its own labscape the grace tells all: nobody else need be asked. */
export const OWN_SIGHT: Sight = {
  failing: Number.NEGATIVE_INFINITY,
  suspecting: Number.NEGATIVE_INFINITY,
  frozen: new Map(),
  testimony: new Map(),
};

/** What a labscape's agents said of others' resources within a lease. */
const voiceOf = ({ beats, policy, readAt }: Heard): Voice => {
  const lease = leaseEndMs(policy);
  const said = [...beats.probed.values()].filter(({ at }) => Math.abs(readAt - at) <= lease);
  return {
    reached: said.flatMap(({ reached }) => reached),
    unreached: said.flatMap(({ unreached }) => unreached),
  };
};

/** What is heard of a labscape as a whole, for health/labscape-sight.ts. */
export const labscapeHeard = ({ beats, policy, readAt }: Heard): LabscapeHeard => {
  const { labscape: id, heardAt, silentFrom, graceUntil: until, pulses, unreachable } = beats;
  const lease = leaseEndMs(policy);
  const said = [...unreachable.values()].filter(({ at }) => readAt - at <= lease);
  return {
    ...{ id, heardAt, silentFrom, graceUntil: until, leaseEndMs: lease },
    lateAfterMs: Math.min(lease, pauseOf(pulses.values(), policy.beatMs)),
    unreachable: said.flatMap(({ labscapes }) => labscapes),
  };
};

const earliest = (instants: readonly number[]): number | undefined =>
  instants.length === 0 ? undefined : Math.min(...instants);

export const sightOf = (fleet: readonly Heard[], now: number): Sight => {
  // Its grace was granted when its beats came through again.
  const seenAgain = ({ beats, policy }: Heard): number => beats.graceUntil - leaseEndMs(policy);
  const isYoung = (heard: Heard): boolean =>
    hears(heard, now, pauseOf(heard.beats.pulses.values(), heard.policy.beatMs));
  const isAlive = (heard: Heard): boolean => hears(heard, now, leaseEndMs(heard.policy));
  return {
    // A first beat tells nothing of the time before it.
    failing: earliest(
      fleet.filter(isYoung).map((heard) => Math.max(seenAgain(heard), heard.beats.heardSince)),
    ),
    suspecting: earliest(fleet.filter(isAlive).map(seenAgain)),
    frozen: frozenOf(fleet.map(labscapeHeard), now),
    testimony: testimonyOf(fleet.map(voiceOf)),
  };
};

/** What a verdict needs of a resource. */
export type Judgeable = Pick<ResourceRecord, 'id' | 'status' | 'epoch' | 'failedBy' | 'retryAt' | 'recovery'>;

const watchedOf = (resource: Judgeable): Watched => ({
  status: resource.status,
  epoch: resource.epoch,
  failedBy: resource.failedBy,
  refused: resource.retryAt !== undefined,
  locked: resource.recovery !== undefined,
});

/** Whether verdicts on silence must wait: the controller hears again only since less than a lease, or does not. */
export const mustStay = ({ beats, policy, readAt }: Heard, since: number | undefined): boolean =>
  since === undefined || readAt < beats.graceUntil || readAt < since + leaseEndMs(policy);

/** How the detector looks at a labscape's resources. */
export const detectorFor = (
  resources: readonly Pick<Judgeable, 'id'>[],
  { beats, policy }: Heard,
): DetectorPolicy => {
  let rising = 0;
  for (const { id } of resources) {
    const pulse = beats.pulses.get(id);
    if (pulse !== undefined && rises(pulse) !== undefined) rising += 1;
  }
  return {
    beatMs: policy.beatMs,
    leaseEndMs: leaseEndMs(policy),
    risesAreCommon: rising > 1 && rising > COMMON_SHARE * resources.length,
  };
};

/** Share of a labscape's resources above which what rises on them has another cause than each of them. */
const COMMON_SHARE = 1 / 2;

/**
 * What the evidence makes of the given resources of one labscape. One in its grace keeps its verdicts, and so does one
 * that a controller judges which may be blind.
 */
export const stepsOf = <R extends Judgeable>(
  resources: readonly R[],
  heard: Heard,
  sight: Sight,
): readonly { readonly resource: R; readonly step: StatusStep }[] => {
  const { beats, readAt: now, policy } = heard;
  // Off is total: what is heard is shown, and nothing is made of it.
  if (policy.mode === 'off') return [];
  if (mustStay(heard, sight.suspecting)) return [];
  const mayFail = !mustStay(heard, sight.failing) && !sight.frozen.has(beats.labscape);
  const detector = detectorFor(resources, heard);
  return resources.flatMap((resource) => {
    const said = sight.testimony.get(resource.id);
    const step = stepFor(watchedOf(resource), beats.pulses.get(resource.id), now, detector, said);
    if (step?.to !== 'failed' || mayFail) return step === undefined ? [] : [{ resource, step }];
    // What may not fail yet takes no new work.
    return resource.status === 'healthy' ? [{ resource, step: { ...step, to: 'suspect' as const } }] : [];
  });
};

/** Writes what the evidence makes of a labscape's resources; starts recoveries where a verdict fell. */
export const judgeLabscape = async (
  runtime: Runtime,
  resources: readonly ResourceRecord[],
  heard: Heard,
  request: string,
  sight: Sight,
): Promise<readonly string[]> => {
  const steps = stepsOf(resources, heard, sight);
  const started = await Promise.all(
    steps.map(({ resource, step }) => applyStep(runtime, resource, step, request)),
  );
  return started.flatMap((id) => (id === undefined ? [] : [id]));
};

/** Writes the step if it still holds; somebody else having been faster is fine. */
const applyStep = async (
  runtime: Runtime,
  resource: ResourceRecord,
  step: StatusStep,
  request: string,
): Promise<string | undefined> => {
  const { id, chain } = resource;
  try {
    const after = await changeStatus(
      runtime,
      id,
      {
        type: `resource.${step.to}`,
        to: step.to,
        reason: step.reason,
        unlocked: true,
        ...(step.to === 'failed' ? { failedBy: 'detector' as const } : {}),
        ...(step.returns === true ? { returned: true } : {}),
      },
      system('detector', request),
      // Somebody may have heard it since, and have taken the verdict back.
      chain,
    );
    // What waits may have room again.
    if (step.to === 'healthy') await wakeFor(runtime, after, request, 'came');
    if (step.to !== 'failed') return undefined;
    runtime.onFailure(after.labscape);
    if (!runtime.detectorStarts) return undefined;
    await runtime.executions.start({
      resource: id,
      epoch: after.epoch,
      attempt: after.attempt,
      trigger: 'detector',
    });
    return id;
  } catch (error) {
    if (error instanceof ProblemError && (error.code === 'not-in-this-state' || error.code === 'unavailable'))
      return undefined;
    throw error;
  }
};
