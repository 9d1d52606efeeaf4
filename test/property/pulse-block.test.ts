import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ERRORS, LATENCY, riseOf, type Signal, type SignalKind, sampled } from '../../lib/health/change.ts';
import { learn, type Pulse } from '../../lib/health/detector.ts';
import { packPulses, unpackPulses } from '../../lib/store/fleet/pulse-block.ts';
import { packPulse, unpackPulse } from '../../lib/store/fleet/pulse-text.ts';
import { seeded } from '../crash/seeded.ts';
import { RUNS, SEED } from './arbitraries.ts';

const NOW = 1_795_132_800_000;
/** What three bytes and two leave of a figure. */
const FINE = 2e-6;
const COARSE = 5e-4;

const figure = (max: number) => fc.oneof(fc.constant(0), fc.double({ min: 0.001, max, noNaN: true }));
const signalOf = (kind: SignalKind, max: number): fc.Arbitrary<Signal | undefined> =>
  fc
    .array(fc.oneof(figure(max), fc.constant(1)), { maxLength: 100 })
    .map((samples) =>
      samples.reduce<Signal | undefined>((signal, sample) => sampled(signal, sample, kind), undefined),
    );
const pulse: fc.Arbitrary<Pulse> = fc.record(
  {
    lastAt: fc.oneof(fc.constant(NOW), fc.nat({ max: 4_000_000_000_000 })),
    meanMs: fc.oneof(fc.constant(1_000), fc.double({ min: 1, max: 3_600_000, noNaN: true })),
    deviationMs: fc.oneof(fc.constant(250), figure(3_600_000)),
    status: fc.constantFrom('ok', 'degraded', 'failed'),
    epoch: fc.oneof(fc.constant(1), fc.nat({ max: Number.MAX_SAFE_INTEGER })),
    leaseEndMs: fc.oneof(fc.constant(30_250), fc.integer({ min: 1, max: 100_000_000 })),
    latency: signalOf(LATENCY, 3_600_000),
    faults: signalOf(ERRORS, 1_000_000_000),
    pace: fc.record({
      meanMs: fc.option(
        fc.double({ min: 0.001, max: 3_600_000, noNaN: true }).map((ms) => Number(ms.toPrecision(4))),
        { nil: undefined },
      ),
      factor: fc.integer({ min: 250, max: 4_000 }).map((thousandths) => thousandths / 1_000),
    }),
  },
  { requiredKeys: ['lastAt', 'meanMs', 'deviationMs', 'status', 'epoch', 'leaseEndMs'] },
);
const id = fc.oneof(
  fc.nat({ max: 120 }).map((index) => `north-host-${index}`),
  fc.stringMatching(/^[a-z0-9-]{1,40}$/),
);
const pulses = fc.array(fc.tuple(id, pulse), { maxLength: 40 }).map((entries) => new Map(entries));

const expectNear = (kept: number | undefined, said: number, error: number): void => {
  expect(kept).toBeDefined();
  expect(Math.abs((kept ?? Number.NaN) - said)).toBeLessThanOrEqual(Math.max(error * said, FINE));
};

const expectSignal = (kept: Signal | undefined, said: Signal | undefined): void => {
  const { count, mean, deviation, recent, sum } = said ?? ERRORS.unheard;
  const back = kept ?? { ...ERRORS.unheard, count };
  expect(back.count).toBe(count);
  expectNear(back.mean, mean, FINE);
  expectNear(back.deviation, deviation, FINE);
  expectNear(back.recent, recent, COARSE);
  expectNear(back.sum, sum, COARSE);
};

describe('pulses of many resources', () => {
  test('come back as they went: whole numbers exactly, figures as near as is told', () => {
    fc.assert(
      fc.property(pulses, (said) => {
        const back = unpackPulses(packPulses(said));
        expect([...back.keys()].sort()).toEqual([...said.keys()].sort());
        for (const [resource, { latency, faults, meanMs, deviationMs, pace, ...whole }] of said) {
          const kept = back.get(resource);
          expect(kept).toMatchObject(whole);
          expect(kept?.pace).toEqual(pace);
          expectNear(kept?.meanMs, meanMs, FINE);
          expectNear(kept?.deviationMs, deviationMs, FINE);
          expectSignal(kept?.latency, latency);
          expectSignal(kept?.faults, faults);
        }
      }),
      RUNS,
    );
  });

  test('never drift, however often they are read and written', () => {
    fc.assert(
      fc.property(pulses, (said) => {
        const kept = unpackPulses(packPulses(said));
        expect(unpackPulses(packPulses(kept))).toEqual(kept);
      }),
      RUNS,
    );
  });

  test('that are cut off, or none at all, are refused or read short, and never another time or lease', () => {
    fc.assert(
      fc.property(pulses, fc.nat({ max: 1_000 }), (said, cut) => {
        const bytes = packPulses(said);
        const left = bytes.slice(0, Math.min(cut, bytes.length - 1));
        try {
          for (const [resource, { lastAt, leaseEndMs }] of unpackPulses(left))
            expect(said.get(resource)).toMatchObject({ lastAt, leaseEndMs });
        } catch (error) {
          expect(error).toMatchObject({ name: 'CorruptItem' });
        }
      }),
      RUNS,
    );
    expect(() => unpackPulses(new Uint8Array([2, 0, 0]))).toThrow('of form 2');
  });

  test.each([
    ['less than 2 KB, with room for the rest of the item', 0, 1_800],
    ['a little more where they also report errors', 0.02, 2_400],
  ])('of a hundred resources with latency and pace take %s', (_, errorRate, bytesMax) => {
    const random = seeded(SEED);
    const known = new Map<string, Pulse>();
    for (let beat = 0; beat < 200; beat += 1)
      for (let index = 0; index < 100; index += 1) {
        const said = { lastAt: NOW + beat * 10_000 + (beat % 3), status: 'ok', epoch: 3 } as const;
        const pace = { meanMs: Number((12 + random()).toPrecision(4)), factor: 0.973 };
        const samples = { latencyMs: 10 + 5 * random(), errors: random() < errorRate ? 1 : 0 };
        const resource = `north-host-${index}`;
        const before = known.get(resource);
        known.set(resource, learn(before, { ...said, ...samples, pace, leaseEndMs: 30_250 }, 10_000));
      }
    expect(packPulses(known).length).toBeLessThan(bytesMax);
  });
});

test.each([
  ['a normal distribution', (random: () => number) => 40 + 8 * (random() + random() + random() - 1.5)],
  ['hardly any noise', (random: () => number) => 12 + 0.1 * random()],
  ['an exponential distribution', (random: () => number) => -20 * Math.log(1 - random())],
])(
  'a rise over %s is told at the same beat whether pulses are packed, text, or never left memory',
  (_, draw) => {
    const random = seeded(SEED);
    const plain: Pulse = {
      ...{ lastAt: NOW, meanMs: 1_000, deviationMs: 250, status: 'ok', epoch: 1, leaseEndMs: 3_250 },
    };
    const through = {
      memory: (said: Pulse) => said,
      packed: (said: Pulse) => unpackPulses(packPulses(new Map([['a', said]]))).get('a') ?? plain,
      text: (said: Pulse) => unpackPulse(packPulse(said)),
    };
    let found = 0;
    for (let run = 0; run < 20; run += 1) {
      const samples = Array.from(
        { length: 700 },
        (_each, beat) => draw(random) * (beat < 600 ? 1 : 4 + 0.05 * run),
      );
      const told = Object.values(through).map((kept) => {
        let known = plain;
        return samples.findIndex((latencyMs, beat) => {
          const { latency: _latency, faults: _faults, ...heard } = known;
          const lastAt = NOW + (beat + 1) * 1_000;
          known = kept(learn(known, { ...heard, lastAt, latencyMs }, 1_000));
          return beat >= 600 && riseOf(known.latency, LATENCY) !== undefined;
        });
      });
      expect(told).toEqual([told[0], told[0], told[0]]);
      if (told[0] !== -1) found += 1;
    }
    expect(found).toBeGreaterThan(15);
  },
);
