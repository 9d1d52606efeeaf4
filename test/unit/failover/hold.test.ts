import { describe, expect, test } from '@jest/globals';
import {
  holdAsOf,
  holdEndsAt,
  isAhead,
  isBehind,
  isLeaving,
  isSettling,
  LEASE_MARGIN_MS,
  leftAsOf,
} from '../../../lib/failover/fencing.ts';

const LEASE_MS = 6_000;
const left = { at: 100_000, revision: 7 };
const behind = (carriedOut: number, sinceMs: number) =>
  isBehind(left, carriedOut, LEASE_MS, left.at + sinceMs);

describe('a live owner that a group was taken off', () => {
  test('has a lease to hear of it, and then gets no other before it has, until the hold is over', () => {
    const overMs = holdEndsAt(left.at, LEASE_MS) - left.at;
    expect(behind(6, LEASE_MS - LEASE_MARGIN_MS)).toBe(false);
    expect(behind(6, LEASE_MS - LEASE_MARGIN_MS + 1)).toBe(true);
    expect(behind(6, overMs)).toBe(true);
    expect(behind(6, overMs + 1)).toBe(false);
  });

  test('that has carried out the revision, or has lost nothing, keeps its lease', () => {
    expect(behind(7, LEASE_MS)).toBe(false);
    expect(isBehind(undefined, 0, LEASE_MS, 0)).toBe(false);
  });

  test('gets none from the moment on when the clock is found set back, until the last one is over', () => {
    expect(isAhead(left, left.at - LEASE_MARGIN_MS)).toBe(false);
    expect(isAhead(left, left.at - LEASE_MARGIN_MS - 1)).toBe(true);
    const now = left.at - 3_600_000;
    const then = { ...left, at: leftAsOf(now, LEASE_MS) };
    expect(isBehind(left, 6, LEASE_MS, now)).toBe(false);
    expect(isBehind(then, 6, LEASE_MS, now)).toBe(true);
    expect(isBehind(then, 6, LEASE_MS, now + LEASE_MS)).toBe(true);
    expect(isBehind(then, 7, LEASE_MS, now)).toBe(false);
    expect(isBehind(then, 6, LEASE_MS, now + LEASE_MS + LEASE_MARGIN_MS + 1)).toBe(false);
  });

  test('holds its last lease no longer than the new owner holds back', () => {
    const lastLeaseMs = LEASE_MS - LEASE_MARGIN_MS + LEASE_MS;
    expect(left.at + lastLeaseMs).toBeLessThan(holdEndsAt(left.at, LEASE_MS));
  });
});

describe('a resource whose members were given from group to group', () => {
  test('is unsettled for a second, or for a quarter of a short lease, and not by a clock that was set back', () => {
    for (const [leaseMs, overMs] of [
      [LEASE_MS, 1_000],
      [400, 100],
    ] as const) {
      expect(isSettling(50_000, leaseMs, 50_000)).toBe(true);
      expect(isSettling(50_000, leaseMs, 50_000 + overMs - 1)).toBe(true);
      expect(isSettling(50_000, leaseMs, 50_000 + overMs)).toBe(false);
      expect(isSettling(50_000, leaseMs, 49_999)).toBe(false);
    }
  });

  test('settles before an owner that lost a group alive is refused a lease for not having carried that out', () => {
    const refusedMs = LEASE_MS - LEASE_MARGIN_MS + 1;
    expect(behind(6, refusedMs)).toBe(true);
    expect(isSettling(left.at, LEASE_MS, left.at + refusedMs)).toBe(false);
  });

  test('gives none as long as it may still have to hear of a group that was taken off it', () => {
    const endsAt = holdEndsAt(left.at, LEASE_MS);
    expect([isLeaving(left, LEASE_MS, endsAt), isLeaving(left, LEASE_MS, endsAt + 1)]).toEqual([true, false]);
    expect(isLeaving(undefined, LEASE_MS, 0)).toBe(false);
  });
});

describe('a hold', () => {
  const holdMs = holdEndsAt(0, LEASE_MS);
  const endsAt = 50_000_000;
  const asOf = (now: number): number => holdAsOf(endsAt, LEASE_MS, now);

  test('ends when it was said to, unless the clock was set far since: then one begins now, and ends', () => {
    for (const sinceMs of [0, holdMs, 2 * holdMs]) expect(asOf(endsAt - holdMs + sinceMs)).toBe(endsAt);
    for (const byMs of [-3_600_000, 3_600_000]) {
      const now = endsAt + byMs;
      expect(asOf(now)).toBe(now + holdMs);
      expect(holdAsOf(asOf(now), LEASE_MS, now + holdMs)).toBe(now + holdMs);
    }
  });

  test('that one wrong clock has moved is never over sooner by a right one', () => {
    const writtenAt = endsAt - holdMs;
    for (let offMs = -10 * holdMs; offMs <= 10 * holdMs; offMs += 50) {
      const moved = asOf(writtenAt + offMs);
      if (moved === endsAt) continue;
      const seen = holdAsOf(moved, LEASE_MS, writtenAt);
      expect(seen).toBeGreaterThanOrEqual(endsAt);
    }
  });
});
