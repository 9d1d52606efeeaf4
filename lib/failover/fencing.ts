import type * as z from 'zod';
import type { FencingPolicy } from '../schemas/labscape.ts';

/** Clock rates differ and answers travel: added to every lease before it counts as run out, ms. */
export const LEASE_MARGIN_MS = 250;

/** When an agent that was last heard at `lastBeatAt` has certainly stopped its work. Epoch ms. */
export const leaseEndsAt = (lastBeatAt: number, leaseMs: number): number =>
  lastBeatAt + leaseMs + LEASE_MARGIN_MS;

/**
 * When a live owner has certainly stopped a group that was taken off it at `at`: it has one lease's time to hear of it,
 * and is given no further lease before it has. Epoch ms.
 */
export const holdEndsAt = (at: number, leaseMs: number): number => leaseEndsAt(at + leaseMs, leaseMs);

/** Whether a live owner still does not know what was taken off it, so that its lease must run out before the hold does. */
export const isBehind = (
  left: { readonly at: number; readonly revision: number } | undefined,
  carriedOut: number,
  leaseMs: number,
  now: number,
): boolean =>
  left !== undefined &&
  carriedOut < left.revision &&
  now > left.at + leaseMs - LEASE_MARGIN_MS &&
  now <= holdEndsAt(left.at, leaseMs);

/** Whether a move lies so far ahead of the clock that it was set back since. */
export const isAhead = (left: { readonly at: number }, now: number): boolean =>
  left.at > now + LEASE_MARGIN_MS;

/**
 * When a group counts as taken off its owner where the clock was set back since. The next owner's hold begins with its own
 * next look, which may have been: the one before gets no lease from now on, until the last that it was given is over.
 * Epoch ms.
 */
export const leftAsOf = (now: number, leaseMs: number): number => now - leaseMs;

/**
 * How far ahead of the clock a hold may end, in holds: beyond it the clock was set back since. More than twice, so that one
 * clock that is wrong and moves the end back by it moves it so far that the others see that it was moved.
 */
const HOLDS_AHEAD_MAX = 3;

/**
 * When a hold ends as the clock stands, of a group that nobody has started since it was moved. Where the clock was set
 * back since, or forward, so that it was over long ago, one begins now: nobody can tell how much of it has passed. Epoch ms.
 */
export const holdAsOf = (heldUntil: number, leaseMs: number, now: number): number => {
  const holdMs = holdEndsAt(0, leaseMs);
  const leftMs = heldUntil - now;
  return leftMs < -holdMs || leftMs > HOLDS_AHEAD_MAX * holdMs ? now + holdMs : heldUntil;
};

/** Lists of members are read by an index, which may lag; most of a second is long for it, ms. */
const SETTLE_MS_MAX = 1_000;
/** A part of the lease, since an agent that cannot carry a list out may be refused its next one. */
const SETTLE_LEASE_SHARE = 1 / 4;

/** Whether members that went from one group of a resource to another may still be listed with neither. */
export const isSettling = (tidiedAt: number, leaseMs: number, now: number): boolean =>
  now >= tidiedAt && now - tidiedAt < Math.min(SETTLE_MS_MAX, leaseMs * SETTLE_LEASE_SHARE);

/** Whether a live owner may still have to hear of what was taken off it. */
export const isLeaving = (left: { readonly at: number } | undefined, leaseMs: number, now: number): boolean =>
  left !== undefined && now <= holdEndsAt(left.at, leaseMs);

export interface FenceFacts {
  readonly now: number;
  readonly policy: z.infer<typeof FencingPolicy>;
  readonly lastBeatAt: number | undefined;
  /** The longer of the lease that was given with the last beat, and of the policy's. */
  readonly leaseMs: number;
  readonly acknowledged: boolean;
}

export type FenceWait = { readonly kind: 'none' } | { readonly kind: 'wait'; readonly ms: number };

/** How long an `ack` fence waits before a person is asked, ms. */
export const ACK_WAIT_MS = 60_000;

/** What must pass before the work may start elsewhere: a host that never beat never held a lease. */
export const fenceWait = (facts: FenceFacts): FenceWait => {
  if (facts.acknowledged || facts.policy === 'immediate') return { kind: 'none' };
  if (facts.policy === 'ack') return { kind: 'wait', ms: ACK_WAIT_MS };
  if (facts.lastBeatAt === undefined) return { kind: 'none' };
  // No lease outlasts one that is granted now, even if the clock was set back since the last beat.
  const ms = Math.min(
    leaseEndsAt(facts.lastBeatAt, facts.leaseMs) - facts.now,
    leaseEndsAt(0, facts.leaseMs),
  );
  return ms > 0 ? { kind: 'wait', ms } : { kind: 'none' };
};
