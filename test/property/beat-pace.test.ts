import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  afterAnswer,
  afterResend,
  FRESH_PACE,
  type Pace,
  RESEND_SHARE,
  RESENDS_MAX,
  resendAfterMs,
} from '../../lib/agent/beat-pace.ts';
import { RUNS } from './arbitraries.ts';

const beatMs = fc.integer({ min: 50, max: 60_000 });
const uniform = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true });

/** When tries leave that nobody ever answers, ms, the first at 0. */
const unanswered = (pace: Pace, beat: number, chances: readonly number[]): readonly number[] => {
  const tries = [0];
  let now = pace;
  let at = 0;
  for (const chance of chances) {
    const ms = resendAfterMs(now, beat, chance);
    if (ms !== undefined) now = afterResend(now);
    at += ms ?? beat;
    tries.push(at);
  }
  return tries;
};

describe("an agent's pace", () => {
  test('sends a beat that is not answered again within a quarter of a beat, and not before an eighth', () => {
    fc.assert(
      fc.property(beatMs, uniform, (beat, chance) => {
        const ms = resendAfterMs(FRESH_PACE, beat, chance) ?? Number.NaN;
        expect(ms).toBeLessThanOrEqual(RESEND_SHARE * beat);
        expect(ms).toBeGreaterThanOrEqual((RESEND_SHARE * beat) / 2);
      }),
      RUNS,
    );
  });

  test('gives a lease of three beats at least eight tries after the last that was answered', () => {
    fc.assert(
      fc.property(beatMs, fc.array(uniform, { minLength: 20, maxLength: 20 }), (beat, chances) => {
        // The next beat leaves a beat after the one that was answered.
        const inLease = unanswered(FRESH_PACE, beat, chances).filter((at) => beat + at < 3 * beat);
        expect(inLease.length).toBeGreaterThanOrEqual(8);
      }),
      RUNS,
    );
  });

  test('falls back to a beat per beat where nobody answers, and earns resends by answers', () => {
    fc.assert(
      fc.property(beatMs, fc.array(uniform, { minLength: 40, maxLength: 40 }), (beat, chances) => {
        const tries = unanswered(FRESH_PACE, beat, chances);
        const pauses = tries.slice(1).map((at, index) => at - (tries[index] ?? 0));
        expect(pauses.filter((ms) => ms < beat / 2)).toHaveLength(RESENDS_MAX);
        expect(pauses.slice(RESENDS_MAX).every((ms) => Math.abs(ms - beat) < 1e-6)).toBe(true);
        const spent: Pace = { ...FRESH_PACE, resends: 0 };
        expect(resendAfterMs(afterAnswer(spent, 1), beat, 0)).toBeDefined();
      }),
      RUNS,
    );
  });

  test('sends nothing again before a usual answer would have come', () => {
    fc.assert(
      fc.property(beatMs, uniform, fc.integer({ min: 1, max: 120_000 }), (beat, chance, tookMs) => {
        let pace = FRESH_PACE;
        for (let index = 0; index < 50; index += 1) pace = afterAnswer(pace, tookMs);
        const ms = resendAfterMs(pace, beat, chance);
        if (ms !== undefined) expect(ms).toBeGreaterThanOrEqual(tookMs * 0.999);
        if (tookMs > beat) expect(ms).toBeUndefined();
      }),
      RUNS,
    );
  });
});
