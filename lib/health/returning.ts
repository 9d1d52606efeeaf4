import type { ResourceStatus } from '../schemas/resource.ts';

/** Policy of a labscape about resources that come back by themselves, ms. */
export interface ReturnPolicy {
  readonly probationMs: number;
  readonly slowStartMs: number;
}

/** Where a resource stands that came back after a failure. Epoch ms. */
export interface Returning {
  /** Until then placement brings nothing. */
  readonly probationUntil: number;
  /** From then on it is as any other. */
  readonly wholeAt: number;
  /** Of its bounds, that may be used now: 0 in probation. */
  readonly share: number;
}

/** The share grows in so many equal steps, so that pictures of it are seldom taken anew. */
const SLOW_START_STEPS = 8;

/**
 * Where it stands on its way back; undefined when it is as any other. A pure function of the clock: nothing is written
 * as the share grows. After the probation it is never more than linear in time, except for the first step, and never
 * falls. An instant of return that lies further ahead than the whole way is of before the clock was set back.
 */
export const returningAt = (
  returnedAt: number | undefined,
  now: number,
  { probationMs, slowStartMs }: ReturnPolicy,
): Returning | undefined => {
  if (returnedAt === undefined) return undefined;
  const probationUntil = returnedAt + probationMs;
  const wholeAt = probationUntil + slowStartMs;
  if (now >= wholeAt || returnedAt - now > probationMs + slowStartMs) return undefined;
  if (now < probationUntil) return { probationUntil, wholeAt, share: 0 };
  const step = Math.floor((SLOW_START_STEPS * (now - probationUntil)) / slowStartMs);
  return { probationUntil, wholeAt, share: Math.max(1, step) / SLOW_START_STEPS };
};

/** Whether what failed at `failedAt` had come back only shortly before: it was not well yet. */
export const isRelapse = (
  returnedAt: number | undefined,
  failedAt: number,
  { probationMs }: Pick<ReturnPolicy, 'probationMs'>,
): boolean => returnedAt !== undefined && Math.abs(failedAt - returnedAt) < probationMs;

/** What came back longer ago has settled without: its work is left where it is, ms. */
const DUE_FOR_MS = 86_400_000;

/** Whether what a recovery moved away may go home by now: the resource is as any other, and was not so for long. */
export const isFailbackDue = (
  resource: {
    readonly status: ResourceStatus;
    readonly recovery: string | undefined;
    readonly movedBy?: string | undefined;
    readonly since: number;
    readonly returnedAt?: number | undefined;
  },
  now: number,
  policy: ReturnPolicy,
): boolean => {
  const { status, recovery, movedBy, since, returnedAt } = resource;
  return (
    status === 'healthy' &&
    recovery === undefined &&
    movedBy !== undefined &&
    returningAt(returnedAt, now, policy) === undefined &&
    Math.abs(now - (returnedAt ?? since)) < DUE_FOR_MS
  );
};
