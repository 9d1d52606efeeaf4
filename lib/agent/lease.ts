/**
 * The right to run a resource's work. It is counted from the moment the accepted beat was *sent*, so it always ends
 * before the controller's own count, which starts at receipt. Pure: both clocks are arguments.
 */
export interface Lease {
  /** The controller's last accepted word: may this resource's work run at all. */
  readonly granted: boolean;
  /** Monotonic ms. */
  readonly untilMs: number;
  /** Wall-clock ms: Linux's monotonic clock stands still while a host is suspended, its wall clock does not. */
  readonly wallUntilMs: number;
  /** How long before the end the orderly stop begins, ms. */
  readonly stopEarlyMs: number;
}

export const NO_LEASE: Lease = { granted: false, untilMs: 0, wallUntilMs: 0, stopEarlyMs: 0 };

/** Share of the lease kept for an orderly stop, so that nothing needs to run past its end: 250 ms of 2 s. */
export const STOP_EARLY_SHARE = 1 / 8;

export interface Instants {
  readonly monotonicMs: number;
  readonly wallMs: number;
}

export interface AcceptedBeat {
  readonly sentAt: Instants;
  readonly leaseMs: number;
  readonly leased: boolean;
}

/** The lease after an accepted beat. A refusal keeps the end, since that long the old copy is waited for anyway. */
export function afterBeat(lease: Lease, beat: AcceptedBeat): Lease {
  if (!beat.leased) return { ...lease, granted: false };
  return {
    granted: true,
    untilMs: beat.sentAt.monotonicMs + beat.leaseMs,
    wallUntilMs: beat.sentAt.wallMs + beat.leaseMs,
    stopEarlyMs: beat.leaseMs * STOP_EARLY_SHARE,
  };
}

/** Work stops in order, and may take until the lease's end: nobody else starts it before. */
export function revoke(lease: Lease): Lease {
  return { ...lease, granted: false };
}

/** `run`: work may run. `stop`: end it in order. `kill`: nothing may run a moment longer. */
export type LeaseVerdict = 'run' | 'stop' | 'kill';

/** How long work may still run, ms; the clock that says less is believed. */
function remainingMs(lease: Lease, now: Instants): number {
  return Math.min(lease.untilMs - now.monotonicMs, lease.wallUntilMs - now.wallMs);
}

/** What the lease allows at `now`; in the last share of it work already ends in order. */
export function leaseVerdict(lease: Lease, now: Instants): LeaseVerdict {
  const leftMs = remainingMs(lease, now);
  if (leftMs <= 0) return 'kill';
  return lease.granted && leftMs > lease.stopEarlyMs ? 'run' : 'stop';
}

/** When the verdict will change unless another beat is accepted, ms from now; undefined: never. */
export function verdictChangesInMs(lease: Lease, now: Instants): number | undefined {
  const leftMs = remainingMs(lease, now);
  if (leftMs <= 0) return undefined;
  return lease.granted && leftMs > lease.stopEarlyMs ? leftMs - lease.stopEarlyMs : leftMs;
}
