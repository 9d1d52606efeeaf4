import { fenceWait, LEASE_MARGIN_MS, leaseEndsAt } from '../../failover/fencing.ts';
import { isByPerson } from '../../failover/rules.ts';
import type { Pulse } from '../../health/detector.ts';
import type { Policy } from '../../schemas/labscape.ts';
import type { Trigger } from '../../schemas/recovery.ts';

/** What is looked at of a labscape, and of what is known of its hosts. */
export interface FencedLabscape {
  readonly policy: Pick<Policy, 'leaseMs' | 'fencing'>;
}
export interface HeardOf {
  readonly pulses: ReadonlyMap<string, Pick<Pulse, 'lastAt' | 'leaseEndMs'>>;
}

/**
 * When the resource was last heard, for all that is known. A person may fail a host that beats; when by the clock nobody
 * of its labscape has beaten for a lease, the clock may have jumped, and the host is taken to have beaten just now.
 */
const lastPulse = (
  labscape: FencedLabscape,
  { pulses }: HeardOf,
  { resource, trigger, now }: FenceQuestion,
): Pick<Pulse, 'lastAt' | 'leaseEndMs'> | undefined => {
  const pulse = pulses.get(resource);
  if (pulse === undefined || !isByPerson(trigger)) return pulse;
  const heard = [...pulses.values()].some(({ lastAt }) => leaseEndsAt(lastAt, labscape.policy.leaseMs) > now);
  return heard ? pulse : { ...pulse, lastAt: now };
};

export interface FenceQuestion {
  readonly resource: string;
  readonly trigger: Trigger;
  readonly now: number;
}

/** How long the old owner may still run its work, ms. Unlike the record, a process is only fenced by its lease. */
export const fenceWaitMs = (labscape: FencedLabscape, beats: HeardOf, question: FenceQuestion): number => {
  const pulse = lastPulse(labscape, beats, question);
  const wait = fenceWait({
    now: question.now,
    policy: labscape.policy.fencing,
    lastBeatAt: pulse?.lastAt,
    // The policy may have been shortened since.
    leaseMs: Math.max(labscape.policy.leaseMs, (pulse?.leaseEndMs ?? 0) - LEASE_MARGIN_MS),
    acknowledged: false,
  });
  return wait.kind === 'none' ? 0 : wait.ms;
};
