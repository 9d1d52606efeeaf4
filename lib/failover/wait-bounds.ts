import type { Policy } from '../schemas/labscape.ts';
import type { Phase } from '../schemas/recovery.ts';
import { ACK_WAIT_MS, leaseEndsAt } from './fencing.ts';

/** How long a recovery waits for a person's word, ms. */
export const APPROVAL_WAIT_MS = 3_600_000;

/** The longest that a recovery may wait in a phase, ms. */
export const waitMaxMs = (phase: Phase, policy: Policy): number => {
  switch (phase) {
    case 'AwaitFence':
      return policy.fencing === 'ack' ? ACK_WAIT_MS : leaseEndsAt(0, policy.leaseMs);
    case 'RestoreSystem':
      return policy.restoreWaitMs;
    case 'ResumeService':
      return policy.resumeWaitMs;
    default:
      return APPROVAL_WAIT_MS;
  }
};

/**
 * What is left of a wait that began at `since`, whole seconds as a state machine's timeout takes them: at least 1, and
 * never more than the whole wait, even if the clock was set back since.
 */
export const waitLeftS = (phase: Phase, policy: Policy, since: number, now: number): number =>
  Math.max(1, Math.ceil((Math.min(since, now) + waitMaxMs(phase, policy) - now) / 1000));
