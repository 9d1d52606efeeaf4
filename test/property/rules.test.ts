import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  type DecisionFacts,
  dampedCoolDownMs,
  decide,
  flapsAfter,
  objectionsTo,
} from '../../lib/failover/rules.ts';
import { MODES } from '../../lib/schemas/labscape.ts';
import { TRIGGERS } from '../../lib/schemas/recovery.ts';
import { RESOURCE_STATUSES } from '../../lib/schemas/resource.ts';
import { OVERRIDABLE_RULES, RULES, type Rule } from '../../lib/schemas/rule.ts';

const NOW = 1_800_000_000_000;
const DAY_MS = 86_400_000;

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
          expect(['status', 'feasible']).toContain(rule);
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
