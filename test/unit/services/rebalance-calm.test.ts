import { describe, expect, test } from '@jest/globals';
import { Policy } from '../../../lib/schemas/labscape.ts';
import { isCalm } from '../../../lib/services/rebalancing/rebalance-sweep.ts';

const NOW = 1_000_000;
const policy = Policy.parse({ mode: 'ask', coolDownMs: 10_000, rebalance: { mode: 'automatic' } });
const labscape = { policy, maintenance: false };
const old = { status: 'healthy' as const, recovery: undefined, since: 0, lastRecoveryEndedAt: undefined };

const calm = (own: Partial<Parameters<typeof isCalm>[1][number]>, of: Partial<typeof labscape> = {}) =>
  isCalm({ ...labscape, ...of }, [old, { ...old, ...own }], NOW);

describe('a labscape balances itself', () => {
  test('when all of it has been healthy for a cool-down', () => {
    expect(calm({})).toBe(true);
    expect(calm({ since: NOW - 10_000 })).toBe(true);
    expect(calm({ status: 'drained', since: NOW })).toBe(true);
  });

  test('never right after a resource came or came back, nor in trouble, nor during a recovery', () => {
    expect(calm({ since: NOW - 9_999 })).toBe(false);
    expect(calm({ lastRecoveryEndedAt: NOW - 9_999 })).toBe(false);
    for (const status of ['suspect', 'failed', 'recovering'] as const) expect(calm({ status })).toBe(false);
    expect(calm({ recovery: 'r-1-1' })).toBe(false);
  });

  test('never in maintenance, by observation or by hand', () => {
    expect(calm({}, { maintenance: true })).toBe(false);
    expect(calm({}, { policy: { ...policy, mode: 'observe' } })).toBe(false);
    for (const mode of ['off', 'by-hand'] as const) {
      const rebalance = { ...policy.rebalance, mode };
      expect(calm({}, { policy: { ...policy, rebalance } })).toBe(false);
    }
  });
});
