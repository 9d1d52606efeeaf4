import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  dueSpan,
  LAG_MS,
  LATE_MS_MAX,
  lookBack,
  QUIET_MS,
  type Span,
  WINDOW_MS,
  windowOf,
} from '../../lib/audit/window.ts';

const inside = ({ from, to }: Span, at: number) => from <= at && at < to;
const START = 1_795_132_800_000;

/** The windows that a sealer comes to which runs now and then, when events are of the given times. */
const windowsOf = (gapsMs: readonly number[], eventTimes: readonly number[]): Span[] => {
  const spans: Span[] = [];
  let now = START;
  let from = 0;
  for (const gap of gapsMs) {
    now += gap;
    for (;;) {
      const due = dueSpan(from, now);
      const first = due && eventTimes.filter((at) => inside(due, at)).sort((a, b) => a - b)[0];
      const window = due && windowOf(due, first);
      if (window === undefined) break;
      spans.push(window);
      from = window.to;
    }
  }
  return spans;
};

const gaps = fc.array(fc.integer({ min: 1, max: 3 * QUIET_MS }), { minLength: 1, maxLength: 12 });
const times = fc.array(fc.integer({ min: START - QUIET_MS, max: START + 4 * QUIET_MS }), { maxLength: 30 });

describe('windows', () => {
  test('follow each other without a gap, never end later than the lag allows, and none with events is longer than asked', () => {
    fc.assert(
      fc.property(gaps, times, (gapsMs, eventTimes) => {
        const spans = windowsOf(gapsMs, eventTimes);
        const end = START + gapsMs.reduce((sum, gap) => sum + gap, 0);
        let from = 0;
        for (const span of spans) {
          expect(span.from).toBe(from);
          expect(span.to % WINDOW_MS).toBe(0);
          expect(span.to).toBeLessThanOrEqual(end - LAG_MS);
          const own = eventTimes.filter((at) => inside(span, at));
          if (own.length > 0) expect(span.to - Math.min(...own)).toBeLessThanOrEqual(WINDOW_MS);
          from = span.to;
        }
        // What is old enough is in a window.
        const due = Math.floor((end - LAG_MS) / WINDOW_MS) * WINDOW_MS;
        for (const at of eventTimes) if (at < due) expect(spans.some((span) => inside(span, at))).toBe(true);
      }),
    );
  });

  test('are looked at again: an event is found before it is twice as late as it was, and a window more', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: LATE_MS_MAX }),
        fc.integer({ min: 0, max: WINDOW_MS }),
        (lateMs, at) => {
          const event = START + at;
          // Busy: a seal for each window.
          const first = Math.floor((event + lateMs) / WINDOW_MS) * WINDOW_MS + WINDOW_MS;
          let found: number | undefined;
          for (let from = first; found === undefined && from <= event + 2 * LATE_MS_MAX; from += WINDOW_MS)
            if (lookBack({ from, to: from + WINDOW_MS }).some((span) => inside(span, event))) found = from;
          if (lateMs > LATE_MS_MAX - 2 * WINDOW_MS) return;
          expect((found ?? Number.NaN) - event).toBeLessThanOrEqual(2 * lateMs + 3 * WINDOW_MS);
        },
      ),
      { numRuns: 200 },
    );
  });

  test('are looked at again at every age however long the windows of the seals are', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 600, maxLength: 700 }),
        (lengths) => {
          let to = START - (START % WINDOW_MS);
          const target = to + WINDOW_MS / 2;
          const seals: Span[] = [];
          for (const length of lengths) {
            seals.push({ from: to, to: to + length * WINDOW_MS });
            to += length * WINDOW_MS;
          }
          const ages = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512].map((slots) => target + slots * WINDOW_MS);
          for (const age of ages) {
            const seal = seals.find((span) => inside(span, age));
            const seen =
              seal !== undefined && (inside(seal, target) || lookBack(seal).some((s) => inside(s, target)));
            expect([age, seen]).toEqual([age, true]);
          }
        },
      ),
      { numRuns: 20 },
    );
  });
});
