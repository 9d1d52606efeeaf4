import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { isEnded, RECOVERY_TRANSITIONS } from '../../lib/failover/recovery-status.ts';
import { BLIND_SHARE, graceUntil, judge, learn, type Pulse, pauseOf } from '../../lib/health/detector.ts';
import { mayBecome, mayRun, RESOURCE_TRANSITIONS } from '../../lib/health/resource-status.ts';
import { stepFor } from '../../lib/health/transition.ts';
import { RECOVERY_STATUSES } from '../../lib/schemas/recovery.ts';
import { RESOURCE_STATUSES } from '../../lib/schemas/resource.ts';
import { RUNS } from './arbitraries.ts';

const START = 1_795_132_800_000;

const policy = fc
  .record({ beatMs: fc.integer({ min: 50, max: 60_000 }), beats: fc.integer({ min: 2, max: 10 }) })
  .map(({ beatMs, beats }) => ({ beatMs, leaseEndMs: beatMs * beats + 250 }));

/** A pulse that was learnt from beats with these pauses between them, some of them long or out of order. */
const pulseOf = (
  beatMs: number,
  pauses: readonly number[],
  status: Pulse['status'] = 'ok',
  epoch = 1,
  leaseEndMs = 0,
): Pulse => {
  let at = START;
  const beat = (lastAt: number) => ({ lastAt, seq: lastAt, agent: 'a', status, epoch, leaseEndMs });
  let pulse = learn(undefined, beat(at), beatMs);
  for (const pause of pauses) {
    at += Math.round(pause * beatMs);
    pulse = learn(pulse, beat(at), beatMs);
  }
  return pulse;
};
const pauses = fc.array(fc.double({ min: -1, max: 12, noNaN: true }), { maxLength: 30 });
const silences = fc.integer({ min: -1_000, max: 2_000_000 });

describe('the detector', () => {
  test('lets no silence be a failure before the lease has ended', () => {
    fc.assert(
      fc.property(policy, pauses, silences, (pace, rhythm, silence) => {
        const pulse = pulseOf(pace.beatMs, rhythm);
        const { verdict, since } = judge(pulse, pulse.lastAt + silence, pace);
        if (silence <= pace.leaseEndMs) expect(verdict).not.toBe('failed');
        // Instants are whole ms, and no verdict is older than its reason.
        if (since !== undefined) expect(Number.isInteger(since)).toBe(true);
        expect(since ?? pulse.lastAt).toBeGreaterThanOrEqual(pulse.lastAt);
        if (verdict !== 'healthy') expect(since ?? 0).toBeLessThanOrEqual(pulse.lastAt + silence);
      }),
      RUNS,
    );
  });

  test('lets no silence be a failure before the lease that was given has ended, though the policy was shortened', () => {
    fc.assert(
      fc.property(policy, policy, pauses, silences, (given, now, rhythm, silence) => {
        const pulse = pulseOf(given.beatMs, rhythm, 'ok', 1, given.leaseEndMs);
        const { verdict } = judge(pulse, pulse.lastAt + silence, now);
        if (silence <= given.leaseEndMs) expect(verdict).not.toBe('failed');
      }),
      RUNS,
    );
  });

  test('grows no milder as the silence goes on', () => {
    const severity = { healthy: 0, suspect: 1, failed: 2, unknown: -1 };
    fc.assert(
      fc.property(policy, pauses, silences, silences, (pace, rhythm, a, b) => {
        const pulse = pulseOf(pace.beatMs, rhythm);
        const at = (silence: number) => severity[judge(pulse, pulse.lastAt + silence, pace).verdict];
        expect(at(Math.min(a, b))).toBeLessThanOrEqual(at(Math.max(a, b)));
      }),
      RUNS,
    );
  });

  test('calls every silence a failure in the end, and suspects it before', () => {
    fc.assert(
      fc.property(policy, pauses, (pace, rhythm) => {
        const pulse = pulseOf(pace.beatMs, rhythm);
        const verdicts = [...Array(4_000).keys()].map(
          (n) => judge(pulse, pulse.lastAt + (n * pace.beatMs) / 10, pace).verdict,
        );
        expect([verdicts[0], verdicts.at(-1)]).toEqual(['healthy', 'failed']);
        expect(verdicts.indexOf('suspect')).toBeGreaterThan(0);
        expect(verdicts.indexOf('suspect')).toBeLessThan(verdicts.indexOf('failed'));
      }),
      { ...RUNS, numRuns: 60 },
    );
  });

  test('learns a rhythm that stays a rhythm, whatever comes in', () => {
    fc.assert(
      fc.property(policy, pauses, (pace, rhythm) => {
        const { meanMs, deviationMs } = pulseOf(pace.beatMs, rhythm);
        for (const learnt of [meanMs, deviationMs]) {
          expect(Number.isFinite(learnt)).toBe(true);
          expect(learnt).toBeGreaterThanOrEqual(0);
        }
      }),
      RUNS,
    );
  });

  test('learns nothing from a clock that jumps, back or far ahead', () => {
    fc.assert(
      fc.property(policy, pauses, fc.integer({ min: 1, max: 1_000_000 }), (pace, rhythm, jump) => {
        const before = pulseOf(pace.beatMs, rhythm);
        const ahead = Math.ceil(5 * Math.max(pace.beatMs, before.meanMs));
        for (const lastAt of [before.lastAt - jump, before.lastAt + ahead]) {
          const after = learn(before, { ...before, lastAt }, pace.beatMs);
          expect(after).toEqual({ ...before, lastAt });
        }
      }),
      RUNS,
    );
  });

  test('believes an agent that says its resource failed, and knows nothing of one never heard', () => {
    fc.assert(
      fc.property(policy, silences, (pace, silence) => {
        const pulse = pulseOf(pace.beatMs, [], 'failed');
        expect(judge(pulse, pulse.lastAt + silence, pace).verdict).toBe('failed');
        expect(judge(undefined, START + silence, pace).verdict).toBe('unknown');
      }),
      RUNS,
    );
  });

  test('grants a lease after most of a lease without anybody, and a beat after a beat', () => {
    fc.assert(
      fc.property(policy, fc.nat({ max: 1_000_000 }), ({ leaseEndMs, beatMs }, silence) => {
        const pauseMs = pauseOf([], beatMs);
        const until = graceUntil(START, START + silence, leaseEndMs, pauseMs);
        const grace = (until ?? Number.NaN) - START - silence;
        if (silence > BLIND_SHARE * leaseEndMs) expect(grace).toBe(leaseEndMs);
        else if (silence > pauseMs) expect(grace).toBe(Math.min(pauseMs, leaseEndMs));
        else expect(until).toBeUndefined();
        expect(graceUntil(undefined, START, leaseEndMs, pauseMs)).toBeUndefined();
      }),
      RUNS,
    );
  });
});

describe('a step of a resource', () => {
  const watched = fc.record({
    status: fc.constantFrom(...RESOURCE_STATUSES),
    epoch: fc.integer({ min: 1, max: 5 }),
    failedBy: fc.constantFrom('detector' as const, 'api' as const, undefined),
    refused: fc.boolean(),
    locked: fc.boolean(),
  });
  const said = fc.constantFrom('ok' as const, 'degraded' as const, 'failed' as const);
  const heard = fc.record({ said, epoch: fc.integer({ min: 1, max: 5 }), silence: silences });

  test('is one that the table of transitions allows, and none while a recovery owns it', () => {
    fc.assert(
      fc.property(watched, policy, heard, (seen, pace, { said: word, epoch, silence }) => {
        const pulse = pulseOf(pace.beatMs, [], word, epoch);
        const now = pulse.lastAt + silence;
        const step = stepFor(seen, pulse, now, pace);
        if (step === undefined) return;
        expect(seen.locked).toBe(false);
        expect(mayBecome(seen.status, step.to)).toBe(true);
        expect(step.reason.length).toBeGreaterThan(0);
        const { verdict } = judge(pulse, now, pace);
        expect(step.to).toBe(verdict);
        if (seen.status === 'failed') expect([seen.refused, seen.failedBy]).toEqual([true, 'detector']);
      }),
      RUNS,
    );
  });

  test('back from offline is one by the epoch of its fence: not before it, nor by one that nobody has given yet', () => {
    fc.assert(
      fc.property(watched, policy, heard, (seen, pace, { epoch }) => {
        const pulse = pulseOf(pace.beatMs, [], 'ok', epoch);
        const offline = { ...seen, status: 'offline' as const, locked: false };
        const step = stepFor(offline, pulse, pulse.lastAt, pace);
        expect(step?.to).toBe(epoch === seen.epoch ? 'healthy' : undefined);
      }),
      RUNS,
    );
  });
});

/** Every status that can be reached from `from`, itself included. */
function reachable<S extends string>(table: Readonly<Record<S, readonly S[]>>, from: S): ReadonlySet<S> {
  const seen = new Set<S>([from]);
  for (const status of seen) for (const next of table[status]) seen.add(next);
  return seen;
}

describe('the tables of transitions', () => {
  test('of resources know every status, go nowhere from retired, and lead there from everywhere', () => {
    expect(Object.keys(RESOURCE_TRANSITIONS).sort()).toEqual([...RESOURCE_STATUSES].sort());
    expect(RESOURCE_TRANSITIONS.retired).toEqual([]);
    for (const status of RESOURCE_STATUSES) {
      expect(RESOURCE_TRANSITIONS[status]).not.toContain(status);
      expect(reachable(RESOURCE_TRANSITIONS, status).has('retired')).toBe(true);
    }
    expect(reachable(RESOURCE_TRANSITIONS, 'healthy').size).toBe(RESOURCE_STATUSES.length);
  });

  test('of resources let none that lost its work run again but by way of healthy', () => {
    for (const status of RESOURCE_STATUSES.filter((one) => !mayRun(one)))
      expect(RESOURCE_TRANSITIONS[status].filter(mayRun)).toEqual(
        RESOURCE_TRANSITIONS[status].includes('healthy') ? ['healthy'] : [],
      );
    // Only what is empty is retired, and only a recovery empties.
    expect(RESOURCE_STATUSES.filter((from) => mayBecome(from, 'retired'))).toEqual(['drained', 'offline']);
  });

  test('of recoveries know every status, and every one that goes on can end', () => {
    expect(Object.keys(RECOVERY_TRANSITIONS).sort()).toEqual([...RECOVERY_STATUSES].sort());
    for (const status of RECOVERY_STATUSES) {
      expect(RECOVERY_TRANSITIONS[status]).not.toContain(status);
      expect(isEnded(status)).toBe(RECOVERY_TRANSITIONS[status].length === 0);
      const ends = [...reachable(RECOVERY_TRANSITIONS, status)].filter(isEnded);
      expect(ends.length).toBeGreaterThan(0);
    }
    // What was refused was never begun, and nothing goes back to asking.
    expect(RECOVERY_TRANSITIONS.running).not.toContain('refused');
    for (const status of RECOVERY_STATUSES)
      expect(RECOVERY_TRANSITIONS[status]).not.toContain('awaiting-approval');
  });
});
