import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  afterBeat,
  type Instants,
  type Lease,
  leaseVerdict,
  NO_LEASE,
  revoke,
  verdictChangesInMs,
} from '../../../lib/agent/lease.ts';

const at = (ms: number, wallMs = ms): Instants => ({ monotonicMs: ms, wallMs });
const granted = (sentMs: number, leaseMs = 2000): Lease =>
  afterBeat(NO_LEASE, { sentAt: at(sentMs), leaseMs, leased: true });

describe('lease', () => {
  test('nothing runs before the first accepted beat', () => {
    expect(leaseVerdict(NO_LEASE, at(0))).toBe('kill');
  });

  test('is counted from the sending of the beat, not from its answer', () => {
    const lease = granted(1000);
    expect(leaseVerdict(lease, at(2749))).toBe('run');
    expect(leaseVerdict(lease, at(2750))).toBe('stop');
    expect(leaseVerdict(lease, at(2999))).toBe('stop');
    expect(leaseVerdict(lease, at(3000))).toBe('kill');
  });

  test('a refusal stops the work at once and kills it when the last lease ends', () => {
    const lease = afterBeat(granted(1000), { sentAt: at(1500), leaseMs: 2000, leased: false });
    expect(leaseVerdict(lease, at(1501))).toBe('stop');
    expect(leaseVerdict(lease, at(3000))).toBe('kill');
    expect(leaseVerdict(revoke(granted(1000)), at(1501))).toBe('stop');
  });

  test('the next accepted beat gives it back', () => {
    const lapsed = granted(1000);
    const again = afterBeat(lapsed, { sentAt: at(9000), leaseMs: 2000, leased: true });
    expect(leaseVerdict(again, at(9001))).toBe('run');
  });

  test('ends on a host that was suspended, whose monotonic clock stood still', () => {
    expect(leaseVerdict(granted(1000), at(1100, 60_000))).toBe('kill');
  });

  test('a wall clock that is set back does not prolong it', () => {
    expect(leaseVerdict(granted(1000), at(3000, 0))).toBe('kill');
  });

  test('the timer that is armed finds another verdict, and none is needed in between', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 10_000 }),
        fc.integer({ min: 200, max: 60_000 }),
        fc.boolean(),
        fc.integer({ min: 0, max: 70_000 }),
        (sentMs, leaseMs, refused, laterMs) => {
          const lease = refused ? revoke(granted(sentMs, leaseMs)) : granted(sentMs, leaseMs);
          const now = at(sentMs + laterMs);
          const inMs = verdictChangesInMs(lease, now);
          const verdict = leaseVerdict(lease, now);
          if (inMs === undefined) expect(verdict).toBe('kill');
          else {
            expect(leaseVerdict(lease, at(now.monotonicMs + inMs - 0.01))).toBe(verdict);
            expect(leaseVerdict(lease, at(now.monotonicMs + inMs + 0.01))).not.toBe(verdict);
          }
        },
      ),
    );
  });
});
