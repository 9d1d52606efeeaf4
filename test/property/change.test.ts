import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ERRORS, LATENCY, riseOf, type Signal, type SignalKind, sampled } from '../../lib/health/change.ts';
import { judge, learn, type Pulse } from '../../lib/health/detector.ts';
import { packPulse, unpackPulse } from '../../lib/store/fleet/pulse-text.ts';
import { seeded } from '../crash/seeded.ts';
import { RUNS, SEED } from './arbitraries.ts';

type Draw = (random: () => number) => number;

const normal: Draw = (random) => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
/** Counts of a rate, by Knuth's multiplication. */
const poisson =
  (rate: number): Draw =>
  (random) => {
    let count = -1;
    for (let left = 1; left > Math.exp(-rate); left *= random()) count += 1;
    return count;
  };

/** What latencies of a host in order look like, ms. */
const NOISES: readonly (readonly [string, Draw])[] = [
  ['a normal distribution', (random) => Math.max(0, 40 + 8 * normal(random))],
  ['hardly any', (random) => 12 + 0.1 * normal(random)],
  ['an exponential distribution', (random) => -20 * Math.log(1 - random())],
  ['a skewed one', (random) => 20 * Math.exp(0.5 * normal(random))],
];

const learnt = (draw: Draw, random: () => number, kind: SignalKind, count: number): Signal | undefined => {
  let signal: Signal | undefined;
  for (let index = 0; index < count; index += 1) signal = sampled(signal, draw(random), kind);
  return signal;
};

/** No errors are the usual at first: a host that always has some raises alarms until that has been learnt. */
const SETTLED = 3_000;

/** Alarms that begin in so many samples. */
const alarmsIn = (draw: Draw, kind: SignalKind, seed: number, samples: number): number => {
  const random = seeded(seed);
  let signal: Signal | undefined;
  let alarms = 0;
  let risen = false;
  for (let index = 0; index < samples; index += 1) {
    signal = sampled(signal, draw(random), kind);
    const rises = riseOf(signal, kind) !== undefined;
    if (rises && !risen && index >= SETTLED) alarms += 1;
    risen = rises;
  }
  return alarms;
};

describe('change detection', () => {
  // Less than 3 in that many at 95 % confidence.
  test.each(NOISES)('raises no alarm in 100,000 samples of %s', (_, draw) => {
    expect(alarmsIn(draw, LATENCY, SEED, 100_000)).toBe(0);
  });

  test.each([0.01, 0.3, 3])('raises no alarm in 100,000 samples of errors at a rate of %d', (rate) => {
    expect(alarmsIn(poisson(rate), ERRORS, SEED, 100_000)).toBe(0);
  });

  test('sees a latency that trebles within ten samples, whatever it was', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1_000_000 }),
        fc.double({ min: 5, max: 5_000, noNaN: true }),
        fc.double({ min: 0, max: 0.2, noNaN: true }),
        (seed, mean, spread) => {
          const draw: Draw = (random) => Math.max(0, mean * (1 + spread * normal(random)));
          const random = seeded(seed);
          let signal = learnt(draw, random, LATENCY, 100);
          let samples = 0;
          while (riseOf(signal, LATENCY) === undefined && samples < 100) {
            signal = sampled(signal, 3 * draw(random), LATENCY);
            samples += 1;
          }
          expect(samples).toBeLessThanOrEqual(10);
        },
      ),
      RUNS,
    );
  });

  test('says from what to what, and is over once it is as before or the new has become the usual', () => {
    const steady = learnt(() => 12, seeded(1), LATENCY, 100);
    let signal = steady;
    for (let index = 0; index < 12; index += 1) signal = sampled(signal, 80, LATENCY);
    expect(riseOf(signal, LATENCY)).toMatch(/^latency rose from 1\d(\.\d)? to (7\d|80) ms$/);
    const samplesUntilOver = (latencyMs: number): number => {
      let now = signal;
      let samples = 0;
      while (riseOf(now, LATENCY) !== undefined && samples < 10_000) {
        now = sampled(now, latencyMs, LATENCY);
        samples += 1;
      }
      return samples;
    };
    expect(samplesUntilOver(12)).toBeLessThan(20);
    expect(samplesUntilOver(80)).toBeGreaterThan(50);
    expect(samplesUntilOver(80)).toBeLessThan(1_000);
  });

  test('is not moved by one outlier, however far off', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 3_600_000, noNaN: true }), (outlier) => {
        const steady = learnt((random) => 20 + normal(random), seeded(3), LATENCY, 200);
        expect(riseOf(sampled(steady, outlier, LATENCY), LATENCY)).toBeUndefined();
      }),
      RUNS,
    );
  });
});

describe('a pulse with signals', () => {
  const policy = { beatMs: 1_000, leaseEndMs: 3_250 };
  const pulseOf = (latencies: readonly number[], errors: readonly number[]): Pulse => {
    const heard = { status: 'ok', epoch: 1, leaseEndMs: 3_250 } as const;
    let pulse = learn(undefined, { ...heard, lastAt: 1_795_132_800_000 }, 1_000);
    latencies.forEach((latencyMs, index) => {
      const lastAt = pulse.lastAt + 1_000;
      pulse = learn(pulse, { ...heard, lastAt, latencyMs, errors: errors[index] }, 1_000);
    });
    return pulse;
  };
  const steady = Array.from({ length: 60 }, () => 12);

  test('is suspect and never failed by them, and healthy where they rise everywhere', () => {
    const risen = [
      [pulseOf([...steady, ...Array.from({ length: 30 }, () => 500)], []), /^latency rose from/],
      [
        pulseOf(
          Array.from({ length: 90 }, () => 12),
          [...steady.map(() => 0), ...steady.map(() => 9)],
        ),
        /^errors rose from 0/,
      ],
    ] as const;
    for (const [pulse, reason] of risen) {
      const now = pulse.lastAt + 500;
      expect(judge(pulse, now, policy)).toEqual({
        verdict: 'suspect',
        reason: expect.stringMatching(reason),
      });
      expect(judge(pulse, now, { ...policy, risesAreCommon: true }).verdict).toBe('healthy');
    }
  });

  test('is kept short and comes back as good as it went', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0, max: 3_600_000, noNaN: true }), { maxLength: 100 }),
        fc.array(fc.nat({ max: 1_000_000_000 }), { maxLength: 100 }),
        (latencies, errors) => {
          const pulse = pulseOf(latencies, errors);
          const text = packPulse(pulse);
          const back = unpackPulse(text);
          expect(packPulse(back)).toBe(text);
          expect(text.length).toBeLessThan(160);
          for (const [part, error] of [
            ['mean', 1e-4],
            ['deviation', 1e-4],
            ['recent', 1e-2],
            ['sum', 1e-2],
          ] as const) {
            const kept = pulse.latency?.[part] ?? 0;
            expect(Math.abs((back.latency?.[part] ?? 0) - kept)).toBeLessThanOrEqual(error * kept);
          }
        },
      ),
      RUNS,
    );
  });

  test('of a hundred resources fits into 8 KB with what they say of their latency', () => {
    const pulse = pulseOf(
      Array.from({ length: 100 }, (_, index) => 12 + (index % 7) * 1.234),
      [0, 0, 0],
    );
    const bytes = Array.from({ length: 100 }, (_, index) => `r_resource-${index}${packPulse(pulse)}`.length);
    expect(bytes.reduce((sum, each) => sum + each, 0)).toBeLessThan(8 * 1_024);
  });

  test('reads what was written before there were signals', () => {
    const old = unpackPulse('1795132800000|1000|250|1795132800000|agent-1|ok|3|3250');
    expect(old).toEqual({
      ...{ lastAt: 1_795_132_800_000, meanMs: 1_000, deviationMs: 250, status: 'ok', epoch: 3 },
      leaseEndMs: 3_250,
    });
  });
});
