import type { Verdict } from '../schemas/status.ts';

/** What is remembered of a resource's heartbeats. Times in epoch ms of the controller's receipt. */
export interface Pulse {
  readonly lastAt: number;
  /** Mean and mean deviation of the time between beats, ms (exponentially weighted). */
  readonly meanMs: number;
  readonly deviationMs: number;
  /** Sequence number of the agent, for replays. */
  readonly seq: number;
  readonly agent: string;
  readonly status: 'ok' | 'degraded' | 'failed';
  /** Resource epoch whose assignments the agent has carried out. */
  readonly epoch: number;
  /** Silence after which the agent has stopped its work: of the lease it was given, whatever the policy says by now, ms. */
  readonly leaseEndMs: number;
  /** How fast it serves, see optimisation/pace.ts; absent while it reports no latency. */
  readonly pace?: { readonly meanMs: number | undefined; readonly factor: number } | undefined;
}

/** Weight of the newest interval, as in TCP's round-trip estimator (RFC 6298). */
const GAIN = 1 / 8;
const DEVIATION_GAIN = 1 / 4;
/** An interval this many times the expected one is a pause, not a rhythm: it is not learned. */
const PAUSE_FACTOR = 4;

/** The pulse after one more beat. */
export const learn = (
  before: Pulse | undefined,
  beat: Omit<Pulse, 'meanMs' | 'deviationMs'>,
  beatMs: number,
): Pulse => {
  if (before === undefined) return { ...beat, meanMs: beatMs, deviationMs: beatMs / 4 };
  const interval = beat.lastAt - before.lastAt;
  if (interval < 0 || interval > PAUSE_FACTOR * Math.max(beatMs, before.meanMs)) {
    return { ...beat, meanMs: before.meanMs, deviationMs: before.deviationMs };
  }
  const error = interval - before.meanMs;
  return {
    ...beat,
    meanMs: before.meanMs + GAIN * error,
    deviationMs: before.deviationMs + DEVIATION_GAIN * (Math.abs(error) - before.deviationMs),
  };
};

export interface Judged {
  readonly verdict: Verdict;
  readonly reason: string;
}

export interface DetectorPolicy {
  readonly beatMs: number;
  /** Silence after which the agent has stopped its work by itself, margin included: no verdict falls before it, ms. */
  readonly leaseEndMs: number;
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

/** Verdict from what was received: the agent's own word first, then silence against the learned rhythm. */
export const judge = (pulse: Pulse | undefined, now: number, policy: DetectorPolicy): Judged => {
  if (pulse === undefined) return { verdict: 'unknown', reason: 'never heard' };
  if (pulse.status === 'failed') return { verdict: 'failed', reason: 'its agent reports it failed' };
  if (isAhead(pulse.lastAt, now, policy.leaseEndMs))
    return { verdict: 'unknown', reason: 'not heard since the clock was set back' };
  const silence = now - pulse.lastAt;
  const failedAfter = Math.max(
    ...[policy.leaseEndMs, pulse.leaseEndMs],
    pulse.meanMs + FAILED_DEVIATIONS * pulse.deviationMs,
  );
  if (silence > failedAfter) return { verdict: 'failed', reason: `silent for ${silence} ms` };
  const suspectAfter = Math.max(
    SUSPECT_BEATS * policy.beatMs,
    pulse.meanMs + SUSPECT_DEVIATIONS * pulse.deviationMs,
  );
  if (silence > suspectAfter) return { verdict: 'suspect', reason: `silent for ${silence} ms` };
  return {
    verdict: 'healthy',
    reason: pulse.status === 'degraded' ? 'its agent reports it degraded' : 'beating',
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
