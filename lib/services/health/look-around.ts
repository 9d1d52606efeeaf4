import { type DetectorPolicy, failsAfterMs } from '../../health/detector.ts';
import { type Heard, leaseEndMs } from './hearing.ts';
import type { Sight } from './sight.ts';
import type { Judgeable } from './verdicts.ts';

/** When a warm function looked at all other labscapes last, and when a verdict may fall there. Monotonic ms. */
export interface Look {
  readonly atMs: number;
  readonly dueMs: number;
  /** What labscapes said of others' resources then. */
  readonly testimony: Sight['testimony'];
}

/** A verdict that is due but may not fall (a grace, a freeze) is looked for this often, in beats. */
const DUE_BEATS = 1 / 8;

/**
 * Whether all others are to be looked at again: once a beat, and by the first batch after a silence may have become a
 * failure. So any batch checks everybody's leases, and reads others' beats only when it matters.
 */
export const isLookDue = (last: Look | undefined, nowMs: number, beatMs: number): boolean => {
  if (last === undefined) return true;
  const sinceMs = nowMs - last.atMs;
  return sinceMs >= beatMs || (nowMs > last.dueMs && sinceMs >= DUE_BEATS * beatMs);
};

/** What a look leaves: the earliest moment at which somebody who may fail has been silent for too long. */
export const lookOf = (
  heard: readonly Heard[],
  { testimony }: Pick<Sight, 'testimony'>,
  resourcesOf: (labscape: string) => readonly Judgeable[],
  atMs: number,
): Look => {
  let dueInMs = Number.POSITIVE_INFINITY;
  for (const { beats, policy, readAt } of heard) {
    const detector: DetectorPolicy = { beatMs: policy.beatMs, leaseEndMs: leaseEndMs(policy) };
    for (const { id, status, recovery } of resourcesOf(beats.labscape)) {
      const pulse = beats.pulses.get(id);
      if (pulse === undefined || recovery !== undefined) continue;
      if (status !== 'healthy' && status !== 'suspect') continue;
      dueInMs = Math.min(dueInMs, pulse.lastAt + failsAfterMs(pulse, detector) - readAt);
    }
  }
  return { atMs, dueMs: atMs + dueInMs, testimony };
};
