import type { Evidence } from '../schemas/capsule.ts';
import type { Trigger } from '../schemas/recovery.ts';
import type { FailedBy, ResourceStatus } from '../schemas/resource.ts';
import type { Verdict } from '../schemas/status.ts';
import { isByPerson } from './rules.ts';

export interface EvidenceFacts {
  readonly trigger: Trigger;
  readonly status: ResourceStatus;
  readonly failedBy: FailedBy | undefined;
  /** Of the heartbeats, as they are now. */
  readonly verdict: Verdict;
}

/** Whether there is still something to recover. What a person or a user's own alarm said, heartbeats do not take back. */
export const weigh = ({ trigger, status, failedBy, verdict }: EvidenceFacts): Evidence => {
  if (isByPerson(trigger)) return 'proceed';
  if (status !== 'failed') return 'not-failed';
  const heardAgain = verdict === 'healthy' || verdict === 'suspect';
  return heardAgain && failedBy === 'detector' ? 'beats-again' : 'proceed';
};
