import type { Verdict } from '../schemas/status.ts';
import { ERRORS, LATENCY, riseOf, type Signal, type SignalKind, sampled } from './change.ts';

/** What is remembered of a resource's heartbeats. Times in epoch ms of the controller's receipt. */
export interface Pulse {
  readonly lastAt: number;
  /** Mean and mean deviation of the time between beats, ms (exponentially weighted). */
  readonly meanMs: number;
  readonly deviationMs: number;
  readonly status: 'ok' | 'degraded' | 'failed';
  /** Resource epoch whose assignments the agent has carried out. */
  readonly epoch: number;
  /** Silence after which the agent has stopped its work: of the lease it was given, whatever the policy says by now, ms. */
  readonly leaseEndMs: number;
  /** How fast it serves, see optimisation/pace.ts; absent while it reports no latency. */
  readonly pace?: { readonly meanMs: number | undefined; readonly factor: number } | undefined;
  /** What it says of its latency, ms, and of its errors, each beat. */
  readonly latency?: Signal | undefined;
  readonly faults?: Signal | undefined;
  /** Why, in its agent's words: in the pulses of the beat that failed it, and in those that are shown. */
  readonly word?: string | undefined;
}

/** What a beat brings, and samples if it carries new ones. */
export type Beat = Omit<Pulse, 'meanMs' | 'deviationMs' | 'latency' | 'faults' | 'word'> & {
  readonly latencyMs?: number | undefined;
  readonly errors?: number | undefined;
};

/** Weight of the newest interval, as in TCP's round-trip estimator (RFC 6298). */
const GAIN = 1 / 8;
const DEVIATION_GAIN = 1 / 4;
/** An interval this many times the expected one is a pause, not a rhythm: it is not learned. */
const PAUSE_FACTOR = 4;

/** The pulse after one more beat. */
export const learn = (before: Pulse | undefined, beat: Beat, beatMs: number): Pulse => {
  const { latencyMs, errors, ...heard } = beat;
  const latency = after(before?.latency, latencyMs, LATENCY);
  const faults = after(before?.faults, errors, ERRORS);
  return {
    ...heard,
    ...rhythmAfter(before, beat.lastAt, beatMs),
    ...(latency === undefined ? {} : { latency }),
    ...(faults === undefined ? {} : { faults }),
  };
};

const after = (
  before: Signal | undefined,
  sample: number | undefined,
  kind: SignalKind,
): Signal | undefined => (sample === undefined ? before : sampled(before, sample, kind));

const rhythmAfter = (
  before: Pulse | undefined,
  at: number,
  beatMs: number,
): Pick<Pulse, 'meanMs' | 'deviationMs'> => {
  if (before === undefined) return { meanMs: beatMs, deviationMs: beatMs / 4 };
  const { lastAt, meanMs, deviationMs } = before;
  const interval = at - lastAt;
  if (interval < 0 || interval > PAUSE_FACTOR * Math.max(beatMs, meanMs)) return { meanMs, deviationMs };
  const error = interval - meanMs;
  return {
    meanMs: meanMs + GAIN * error,
    deviationMs: deviationMs + DEVIATION_GAIN * (Math.abs(error) - deviationMs),
  };
};

/** What has risen of all that it reports; a sentence about it. */
export const rises = ({ latency, faults }: Pulse): string | undefined =>
  riseOf(latency, LATENCY) ?? riseOf(faults, ERRORS);

export interface Judged {
  readonly verdict: Verdict;
  readonly reason: string;
  /** Since when silence makes it so, epoch ms; undefined where the verdict is not about silence. */
  readonly since?: number;
}

export interface DetectorPolicy {
  readonly beatMs: number;
  /** Silence after which the agent has stopped its work by itself, margin included: no verdict falls before it, ms. */
  readonly leaseEndMs: number;
  /** Figures rose on most of the labscape: that is no fault of one resource, and makes none suspect. */
  readonly risesAreCommon?: boolean;
}

/** Deviations beyond the mean after which silence is suspicious, and after which it is a failure. */
const SUSPECT_DEVIATIONS = 4;
const FAILED_DEVIATIONS = 8;
/** Least silence that is suspicious, in beats: one lost beat is ordinary. */
const SUSPECT_BEATS = 2;

/** Leases by which an instant may lie ahead: a fresh grace does by one, and clocks of functions differ a little. */
const AHEAD_LEASES = 2;

/** Whether an instant was written before the clock was set back: how long ago that was, nobody can tell from it. */
export const isAhead = (at: number, now: number, leaseEndMs: number): boolean =>
  at - now > AHEAD_LEASES * leaseEndMs;

/** Silence of a resource that is a failure, ms. */
export const failsAfterMs = (pulse: Pulse, policy: DetectorPolicy): number =>
  Math.max(...[policy.leaseEndMs, pulse.leaseEndMs], pulse.meanMs + FAILED_DEVIATIONS * pulse.deviationMs);

/** Verdict from what was received: the agent's word first, then silence against the rhythm, then what has risen. */
export const judge = (pulse: Pulse | undefined, now: number, policy: DetectorPolicy): Judged => {
  if (pulse === undefined) return { verdict: 'unknown', reason: 'never heard' };
  const why = pulse.word === undefined ? '' : `: ${pulse.word}`;
  if (pulse.status === 'failed') return { verdict: 'failed', reason: `its agent reports it failed${why}` };
  if (isAhead(pulse.lastAt, now, policy.leaseEndMs))
    return { verdict: 'unknown', reason: 'not heard since the clock was set back' };
  const silence = now - pulse.lastAt;
  const failedAfter = failsAfterMs(pulse, policy);
  if (silence > failedAfter)
    return {
      verdict: 'failed',
      reason: `silent for ${silence} ms`,
      since: pulse.lastAt + Math.ceil(failedAfter),
    };
  const suspectAfter = Math.max(
    SUSPECT_BEATS * policy.beatMs,
    pulse.meanMs + SUSPECT_DEVIATIONS * pulse.deviationMs,
  );
  if (silence > suspectAfter)
    return {
      verdict: 'suspect',
      reason: `silent for ${silence} ms`,
      since: pulse.lastAt + Math.ceil(suspectAfter),
    };
  const rise = rises(pulse);
  if (rise !== undefined && policy.risesAreCommon !== true) return { verdict: 'suspect', reason: rise };
  if (rise !== undefined) return { verdict: 'healthy', reason: `${rise}, as on most of its labscape` };
  return {
    verdict: 'healthy',
    reason: pulse.status === 'degraded' ? `its agent reports it degraded${why}` : 'beating',
  };
};

/** Share of a lease in which somebody must have been heard: one lost beat of three is ordinary, two are not. */
export const BLIND_SHARE = 2 / 3;

/** By how much a beat is late when that is no jitter any more: half a beat, and by more than any busy machine. */
const LATE_BEATS = 1 / 2;
const LATE_MS = 250;

/** Silence of a whole labscape that its rhythm does not explain, ms: agents may beat slower than they were told. */
export const pauseOf = (pulses: Iterable<Pulse>, beatMs: number): number => {
  let quickestMs = Number.POSITIVE_INFINITY;
  for (const { meanMs } of pulses) quickestMs = Math.min(quickestMs, meanMs);
  const rhythmMs = Math.max(beatMs, Number.isFinite(quickestMs) ? quickestMs : 0);
  return Math.ceil(rhythmMs + Math.max(LATE_BEATS * rhythmMs, LATE_MS));
};

/**
 * Self-doubt: when nobody at all was heard for a while, it may be the controller that was blind. The answer is when
 * verdicts may fall again (epoch ms): after most of a lease everybody gets a fresh one to be heard in, after less than
 * that the time of one beat. `heardAt`: when a batch was taken in before, epoch ms.
 */
export const graceUntil = (
  heardAt: number | undefined,
  now: number,
  leaseEndMs: number,
  pauseMs: number,
): number | undefined => {
  if (heardAt === undefined) return undefined;
  const silence = now - heardAt;
  if (silence > BLIND_SHARE * leaseEndMs) return now + leaseEndMs;
  return silence > pauseMs ? now + Math.min(pauseMs, leaseEndMs) : undefined;
};
