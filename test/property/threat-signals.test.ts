import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Buckets } from '../../lib/security/buckets.ts';
import { type Habit, LEARNING_MS, learn, SCOPES_MAX } from '../../lib/security/threat/habits.ts';
import { networkOf, SIGNALS } from '../../lib/security/threat/signals.ts';
import { FLUSH_EVERY_MS, ROWS_MAX, SAMPLES_MAX, Tally } from '../../lib/security/threat/tally.ts';

const NOW = 1_800_000_000_000;

describe('a tally', () => {
  test('is bounded and says seldom that it wants to be written, whatever is sent', () => {
    const step = fc.record({
      signal: fc.constantFrom(...SIGNALS),
      subject: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 500 })),
      network: fc.boolean(),
      waitMs: fc.integer({ min: 0, max: 50 }),
      code: fc.integer({ min: 0, max: 50 }),
    });
    fc.assert(
      fc.property(fc.array(step, { minLength: 100, maxLength: 1_500 }), (steps) => {
        const tally = new Tally();
        let now = 0;
        let [writes, counted, told] = [0, 0, 0];
        for (const { signal, subject, network, waitMs, code } of steps) {
          now += waitMs;
          const name = `${network ? 'n' : 'p'}:${subject}`;
          tally.note({ signal, subject: name, code: String(code), guarded: false }, now);
          if (signal !== 'release') counted += 1;
          const taken = tally.take(now);
          if (taken === undefined) continue;
          writes += 1;
          expect(taken.length).toBeLessThanOrEqual(ROWS_MAX + SIGNALS.length);
          for (const one of taken) {
            expect(one.codes.length).toBeLessThanOrEqual(SAMPLES_MAX);
            if (one.signal !== 'release') told += one.count;
          }
        }
        expect(writes).toBeLessThanOrEqual(3 + Math.floor(now / FLUSH_EVERY_MS));
        const rest = tally.take(now + 10 * FLUSH_EVERY_MS) ?? [];
        for (const one of rest) if (one.signal !== 'release') told += one.count;
        expect(told).toBe(counted);
      }),
      { numRuns: 60 },
    );
  });
});

describe('a bucket', () => {
  test('never lets more through than its burst and its rate, and says when there is room', () => {
    const rate = { perSecond: 10, burst: 5 };
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 400 }), { minLength: 1, maxLength: 200 }), (waits) => {
        const buckets = new Buckets();
        let [now, through] = [0, 0];
        for (const wait of waits) {
          now += wait;
          const waitMs = buckets.take('a', rate, now);
          if (waitMs === 0) through += 1;
          expect(through).toBeLessThanOrEqual(rate.burst + (now * rate.perSecond) / 1000 + 1e-6);
        }
        let waitMs = buckets.take('a', rate, now);
        while (waitMs === 0) waitMs = buckets.take('a', rate, now);
        expect(buckets.take('a', rate, now + waitMs)).toBe(0);
        // However long it rests, no more than its burst comes at once.
        const later = now + 1_000_000;
        for (let i = 0; i < rate.burst; i += 1) expect(buckets.take('a', rate, later)).toBe(0);
        expect(buckets.take('a', rate, later)).toBeGreaterThan(0);
      }),
    );
  });

  test('is forgotten when there are too many, not before', () => {
    const buckets = new Buckets();
    const rate = { perSecond: 0.001, burst: 1 };
    buckets.take('first', rate, 0);
    for (let i = 0; i < 4_095; i += 1) buckets.take(`other-${i}`, rate, 0);
    expect(buckets.take('first', rate, 0)).toBeGreaterThan(0);
    for (let i = 0; i < 100_000; i += 1) buckets.take(`flood-${i}`, rate, 0);
    expect(buckets.size).toBe(4_096);
  });
});

describe('a habit', () => {
  test('is bounded, calls nothing unusual while it is learnt, and everything new afterwards once', () => {
    const scopes = fc.array(fc.integer({ min: 0, max: 200 }).map(String), { maxLength: 30 });
    fc.assert(
      fc.property(fc.array(scopes, { minLength: 1, maxLength: 12 }), (days) => {
        let known: Habit | undefined;
        days.forEach((seen, i) => {
          const now = NOW + i * LEARNING_MS;
          const before = new Set(known?.scopes);
          const { habit: next, unusual } = learn('ada', known, seen, now);
          if (i === 0 || before.size >= SCOPES_MAX) expect(unusual).toEqual([]);
          for (const { scope } of unusual) expect(before.has(scope)).toBe(false);
          known = next ?? known;
          expect(known?.scopes.length ?? 0).toBeLessThanOrEqual(SCOPES_MAX);
        });
      }),
    );
  });
});

test('a network names no host, and an address that is none is unknown', () => {
  expect(
    ['10.1.2.3', '::ffff:10.1.2.3', '2001:db8:1:2::5', '2001:db8::1', '::1', 'x<script>', undefined].map(
      networkOf,
    ),
  ).toEqual([
    ...[
      '10.1.2.0/24',
      '10.1.2.0/24',
      '2001:db8:1::/48',
      '2001:db8:0::/48',
      '0:0:0::/48',
      'unknown',
      'unknown',
    ],
  ]);
});
