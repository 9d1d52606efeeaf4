import { describe, expect, test } from '@jest/globals';
import { fenceWait, leaseEndsAt } from '../../../lib/failover/fencing.ts';
import { type DecisionFacts, decide } from '../../../lib/failover/rules.ts';
import { waitLeftS, waitMaxMs } from '../../../lib/failover/wait-bounds.ts';
import { isAhead, judge, type Pulse } from '../../../lib/health/detector.ts';
import { Policy } from '../../../lib/schemas/labscape.ts';

const NOW = 1_795_132_800_000;
const HOUR_MS = 3_600_000;
const POLICY = Policy.parse({ beatMs: 1_000, leaseMs: 3_000, restoreWaitMs: 20_000 });
const LEASE_END_MS = leaseEndsAt(0, POLICY.leaseMs);

/** Differences to now: from an hour ago to an hour ahead, as a record of before the clock was set back is. */
const OFFSETS = [-HOUR_MS, -LEASE_END_MS, -1, 0, 1, LEASE_END_MS, HOUR_MS];

describe('a time that lies ahead, since the clock was set back,', () => {
  test.each(OFFSETS)('lets a fence wait for a lease at most (%d ms)', (offset) => {
    const facts = { now: NOW, policy: 'lease', leaseMs: POLICY.leaseMs, acknowledged: false } as const;
    const wait = fenceWait({ ...facts, lastBeatAt: NOW + offset });
    const ms = Math.min(offset + LEASE_END_MS, LEASE_END_MS);
    expect(wait).toEqual(ms > 0 ? { kind: 'wait', ms } : { kind: 'none' });
  });

  test.each(OFFSETS)('lets no other wait last longer than it may (%d ms)', (offset) => {
    for (const phase of ['AwaitFence', 'RestoreSystem', 'ResumeService', 'AwaitApproval'] as const) {
      const leftS = waitLeftS(phase, POLICY, NOW + offset, NOW);
      expect(leftS).toBeGreaterThanOrEqual(1);
      expect(leftS).toBeLessThanOrEqual(Math.ceil(waitMaxMs(phase, POLICY) / 1000));
    }
  });

  test('is no cool-down, while one that runs still damps', () => {
    const facts: DecisionFacts = {
      ...{ now: NOW, trigger: 'detector', mode: 'automatic', maintenance: false, status: 'failed' },
      ...{ coolDownMs: 30_000, breakerShare: 0.34, labscapeResources: 3, labscapeUnhealthy: 1 },
      ...{ targets: 2, groups: 3, lastRecoveryEndedAt: undefined, flaps: 0 },
    };
    const decided = (offset: number) => decide({ ...facts, lastRecoveryEndedAt: NOW + offset });
    expect(decided(HOUR_MS)).toEqual({ kind: 'proceed' });
    expect(decided(-30_000)).toEqual({ kind: 'proceed' });
    // Clocks of two functions differ by a little: that is no clock that was set back.
    for (const offset of [-29_999, 0, 50])
      expect(decided(offset)).toMatchObject({ kind: 'refuse', rule: 'cool-down' });
  });

  test('says nothing of a resource, neither that it is well nor that it failed', () => {
    const pulse: Pulse = {
      ...{ meanMs: 1_000, deviationMs: 250, seq: 1, agent: 'a', epoch: 1, status: 'ok' },
      ...{ leaseEndMs: LEASE_END_MS, lastAt: NOW + HOUR_MS },
    };
    const policy = { beatMs: POLICY.beatMs, leaseEndMs: LEASE_END_MS };
    expect(judge(pulse, NOW, policy).verdict).toBe('unknown');
    expect(judge({ ...pulse, status: 'failed' }, NOW, policy).verdict).toBe('failed');
    expect(judge({ ...pulse, lastAt: NOW + 50 }, NOW, policy).verdict).toBe('healthy');
  });

  test('is not what a grace of one lease is, not even by the clock of a function that is late', () => {
    expect(isAhead(NOW + LEASE_END_MS, NOW - 500, LEASE_END_MS)).toBe(false);
    expect(isAhead(NOW + HOUR_MS, NOW, LEASE_END_MS)).toBe(true);
  });
});
