import { ProblemError } from '../errors.ts';
import { leaseEndsAt } from '../failover/fencing.ts';
import { graceUntil, isAhead, type Pulse } from '../health/detector.ts';
import { type StatusStep, stepFor, type Watched } from '../health/transition.ts';
import type { Policy } from '../schemas/labscape.ts';
import type { BeatRecord } from '../store/heartbeats.ts';
import { newestBeat } from '../store/heartbeats.ts';
import type { ResourceRecord } from '../store/resources.ts';
import { system } from './origin.ts';
import { changeStatus } from './resources.ts';
import type { Runtime } from './runtime.ts';

/** Silence after which no agent of this policy still runs anything, ms. */
export const leaseEndMs = (policy: Policy): number => leaseEndsAt(0, policy.leaseMs);

/** When verdicts may fall again if everybody was silent until now: the controller itself was blind. */
export const graceAfterBlindness = (beats: BeatRecord, policy: Policy, now: number): number | undefined => {
  const leaseMs = leaseEndMs(policy);
  // Whoever was not heard since the clock was set back would hide the silence of all others.
  const pulses = [...beats.pulses].filter(([, { lastAt }]) => !isAhead(lastAt, now, leaseMs));
  return graceUntil(newestBeat({ ...beats, pulses: new Map(pulses) }), now, leaseMs);
};

/** A labscape's beats and the policy that sets their pace. */
export interface Heard {
  readonly beats: BeatRecord;
  readonly policy: Policy;
  /** When the beats were asked for, epoch ms: what the controller itself is late by is nobody's silence. */
  readonly readAt: number;
}

/** Where a warm function first met a beat that lies ahead of the clock. */
interface Met {
  readonly lastAt: number;
  readonly sinceMs: number;
}
/** By resource. */
const metAhead = new WeakMap<Runtime, Map<string, Met>>();

/**
 * What was heard, told by the clock as it goes now. Whose last beat lies ahead since the clock was set back counts as
 * heard when this warm function first met it so: a fresh lease, and no silence until the clock is there again.
 */
export const hear = (runtime: Runtime, beats: BeatRecord, policy: Policy, readAt: number): Heard => {
  const leaseMs = leaseEndMs(policy);
  const met = metAhead.get(runtime) ?? new Map<string, Met>();
  metAhead.set(runtime, met);
  const atMs = runtime.clock.monotonicMs();
  const retold = (id: string, pulse: Pulse): Pulse => {
    if (!isAhead(pulse.lastAt, readAt, leaseMs)) {
      met.delete(id);
      return pulse;
    }
    const known = met.get(id);
    const first = known?.lastAt === pulse.lastAt ? known : { lastAt: pulse.lastAt, sinceMs: atMs };
    met.set(id, first);
    return { ...pulse, lastAt: readAt - Math.round(atMs - first.sinceMs) };
  };
  const pulses = new Map([...beats.pulses].map(([id, pulse]) => [id, retold(id, pulse)]));
  // A grace of before would stay all verdicts for as long as the clock was set back.
  const stale = isAhead(beats.graceUntil, readAt, leaseMs);
  return { beats: { ...beats, pulses, graceUntil: stale ? 0 : beats.graceUntil }, policy, readAt };
};

/**
 * Since when the controller has heard somebody without a break, epoch ms; undefined when it hears nobody now. Who
 * was silent before that may have been beating at a controller that was blind.
 */
export const hearingSince = (fleet: readonly Heard[], now: number): number | undefined => {
  const since = fleet.flatMap(({ beats, policy }) => {
    const newest = newestBeat(beats);
    const leaseMs = leaseEndMs(policy);
    // Its grace was granted when its beats came through again.
    return newest !== undefined && now - newest <= leaseMs ? [beats.graceUntil - leaseMs] : [];
  });
  return since.length === 0 ? undefined : Math.min(...since);
};

export const watchedOf = (resource: ResourceRecord): Watched => ({
  status: resource.status,
  epoch: resource.epoch,
  failedBy: resource.failedBy,
  refused: resource.retryAt !== undefined,
  locked: resource.recovery !== undefined,
});

/** Whether verdicts on silence must wait: the controller hears again only since less than a lease. */
export const mustStay = ({ beats, policy, readAt }: Heard, since: number): boolean =>
  readAt < beats.graceUntil || readAt < since + leaseEndMs(policy);

/**
 * Judges all given resources of one labscape and writes what changed; starts recoveries where a verdict fell.
 * `since`: the controller has heard somebody since then, see hearingSince.
 */
export const judgeLabscape = async (
  runtime: Runtime,
  resources: readonly ResourceRecord[],
  { beats, policy, readAt }: Heard,
  request: string,
  since: number,
): Promise<readonly string[]> => {
  const now = readAt;
  if (mustStay({ beats, policy, readAt }, since)) return [];
  const detector = { beatMs: policy.beatMs, leaseEndMs: leaseEndMs(policy) };
  const steps = resources.flatMap((resource) => {
    const step = stepFor(watchedOf(resource), beats.pulses.get(resource.id), now, detector);
    return step === undefined ? [] : [{ resource, step }];
  });
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
      },
      system('detector', request),
      // Somebody may have heard it since, and have taken the verdict back.
      chain,
    );
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
