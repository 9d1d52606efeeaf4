import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  type DecisionFacts,
  dampedCoolDownMs,
  decide,
  flapsAfter,
  objectionsTo,
} from '../../lib/failover/rules.ts';
import { OBSERVERS_MIN } from '../../lib/health/labscape-sight.ts';
import { MODES } from '../../lib/schemas/labscape.ts';
import { TRIGGERS } from '../../lib/schemas/recovery.ts';
import { RESOURCE_STATUSES } from '../../lib/schemas/resource.ts';
import { DOUBTS, OVERRIDABLE_RULES, RULES, type Rule, type SeenLabscape } from '../../lib/schemas/rule.ts';

const NOW = 1_800_000_000_000;
const DAY_MS = 86_400_000;

const sight: fc.Arbitrary<SeenLabscape> = fc
  .record({
    doubt: fc.option(
      fc.record({
        kind: fc.constantFrom(...DOUBTS),
        since: fc.integer({ min: NOW - DAY_MS, max: NOW }),
      }),
      { nil: undefined },
    ),
    silent: fc.boolean(),
    observers: fc.integer({ min: 0, max: 9 }),
  })
  .map(({ doubt, ...seen }) => ({
    ...seen,
    asks: seen.observers < OBSERVERS_MIN,
    ...(doubt === undefined ? {} : { doubt }),
  }));
const facts: fc.Arbitrary<DecisionFacts> = fc.record({
  now: fc.constant(NOW),
  trigger: fc.constantFrom(...TRIGGERS),
  mode: fc.constantFrom(...MODES),
  maintenance: fc.boolean(),
  coolDownMs: fc.integer({ min: 0, max: DAY_MS }),
  breakerShare: fc.double({ min: 0.01, max: 1, noNaN: true }),
  status: fc.constantFrom(...RESOURCE_STATUSES),
  lastRecoveryEndedAt: fc.option(fc.integer({ min: NOW - 2 * DAY_MS, max: NOW }), { nil: undefined }),
  flaps: fc.integer({ min: 0, max: 40 }),
  labscapeResources: fc.integer({ min: 1, max: 20 }),
  labscapeUnhealthy: fc.integer({ min: 1, max: 20 }),
  targets: fc.integer({ min: 0, max: 20 }),
  groups: fc.integer({ min: 0, max: 48 }),
  sight: fc.option(sight, { nil: undefined }),
});
const overrides = fc
  .subarray([...RULES])
  .map((rules) => new Map<Rule, string>(rules.map((rule) => [rule, `override-${rule}`])));

describe('the rules', () => {
  test('decide by the first objection that is not set aside', () => {
    fc.assert(
      fc.property(facts, overrides, (given, aside) => {
        const decision = decide(given, aside);
        const standing = objectionsTo(given, aside).find(({ override }) => override === undefined);
        if (standing === undefined) expect(decision).toEqual({ kind: 'proceed' });
        else
          expect(decision).toMatchObject({
            kind: standing.effect === 'asks' ? 'ask' : 'refuse',
            ...{ rule: standing.rule, explanation: standing.explanation },
          });
      }),
    );
  });

  test('that there is nothing to do, or no way, nobody sets aside', () => {
    const all = new Map<Rule, string>(RULES.map((rule) => [rule, 'x']));
    fc.assert(
      fc.property(facts, (given) => {
        for (const { rule, override } of objectionsTo(given, all))
          expect(override !== undefined).toBe(OVERRIDABLE_RULES.some((one) => one === rule));
      }),
    );
  });

  test('that guard automation from itself say nothing to a person', () => {
    fc.assert(
      fc.property(facts, fc.constantFrom('api' as const, 'drain' as const), (given, trigger) => {
        for (const { rule } of objectionsTo({ ...given, trigger }))
          expect(['status', 'feasible', 'mode-off']).toContain(rule);
      }),
    );
  });

  test('switched off, nothing starts, whoever asks and whatever is set aside', () => {
    fc.assert(
      fc.property(facts, overrides, (given, aside) => {
        expect(decide({ ...given, mode: 'off' }, aside).kind).toBe('refuse');
      }),
    );
  });

  test('in self-doubt nothing starts by itself, and what is put off is looked at again within a minute', () => {
    fc.assert(
      fc.property(
        facts,
        sight,
        fc.constantFrom(...DOUBTS),
        fc.integer({ min: -5_000, max: DAY_MS }),
        (given, seen, kind, leftMs) => {
          const doubt = {
            kind,
            since: NOW - 1_000,
            ...(kind === 'fresh-grace' ? { until: NOW + leftMs } : {}),
          };
          const decision = decide({ ...given, trigger: 'alarm', sight: { ...seen, doubt } });
          expect(decision.kind).toBe('refuse');
          if (decision.kind !== 'refuse' || decision.rule !== 'self-doubt') return;
          expect(decision.retryAfterMs).toBeLessThanOrEqual(60_000);
          expect(decision.retryAfterMs).toBeGreaterThanOrEqual(0);
          expect(decision.explanation).toContain('held until that is over');
        },
      ),
    );
  });

  test('a whole labscape that fewer than three others could see is never failed over without a person', () => {
    fc.assert(
      fc.property(facts, sight, (given, seen) => {
        const alone = { ...seen, silent: true, observers: OBSERVERS_MIN - 1, asks: true };
        expect(decide({ ...given, trigger: 'detector', sight: alone }).kind).not.toBe('proceed');
        const rules = (now: SeenLabscape) =>
          objectionsTo({ ...given, trigger: 'detector', sight: now }).map(({ rule }) => rule);
        expect(rules(alone)).toContain('observers');
        expect(rules({ ...alone, silent: false })).not.toContain('observers');
        expect(rules({ ...alone, observers: OBSERVERS_MIN, asks: false })).not.toContain('observers');
      }),
    );
  });

  test('a labscape that asks or observes never recovers by itself', () => {
    fc.assert(
      fc.property(facts, fc.constantFrom('ask' as const, 'observe' as const), (given, mode) => {
        const decision = decide({ ...given, mode, trigger: 'detector' });
        expect(decision.kind).not.toBe('proceed');
        if (mode === 'observe') expect(decision.kind).toBe('refuse');
      }),
    );
  });
});

describe('damping', () => {
  test('doubles the cool-down with each recovery close to another, up to a day, and never shortens it', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: DAY_MS }),
        fc.integer({ min: 0, max: 60 }),
        (coolDownMs, flaps) => {
          const damped = dampedCoolDownMs(coolDownMs, flaps);
          expect(damped).toBeGreaterThanOrEqual(coolDownMs);
          expect(damped).toBeLessThanOrEqual(DAY_MS);
          if (flaps >= 1 && damped < DAY_MS) expect(damped).toBe(coolDownMs * 2 ** (flaps - 1));
        },
      ),
    );
    expect(dampedCoolDownMs(0, 9)).toBe(0);
  });

  test('counts recoveries that follow each other within ten cool-downs, and begins anew after', () => {
    const last = { flaps: 3, lastRecoveryEndedAt: NOW - 9_999 };
    expect(flapsAfter(last, 1_000, NOW)).toBe(4);
    expect(flapsAfter(last, 999, NOW)).toBe(1);
    expect(flapsAfter({ flaps: 0, lastRecoveryEndedAt: undefined }, 1_000, NOW)).toBe(1);
  });
});
