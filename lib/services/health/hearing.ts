import { leaseEndsAt } from '../../failover/fencing.ts';
import { graceUntil, isAhead, type Pulse, pauseOf } from '../../health/detector.ts';
import type { Policy } from '../../schemas/labscape.ts';
import type { BeatRecord, HeardNow } from '../../store/fleet/heartbeats.ts';
import type { Runtime } from '../runtime.ts';

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
