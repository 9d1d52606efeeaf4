import { describe, expect, test } from '@jest/globals';
import { holdEndsAt, isBehind, LEASE_MARGIN_MS } from '../../../lib/failover/fencing.ts';

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

  test('holds its last lease no longer than the new owner holds back', () => {
    const lastLeaseMs = LEASE_MS - LEASE_MARGIN_MS + LEASE_MS;
    expect(left.at + lastLeaseMs).toBeLessThan(holdEndsAt(left.at, LEASE_MS));
  });
});
