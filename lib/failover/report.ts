import type { PhaseResult, RecoveryStatus, Trigger } from '../schemas/recovery.ts';
import type { ResourceStatus } from '../schemas/resource.ts';

export interface EndingFacts {
  readonly trigger: Trigger;
  readonly pendingGroups: number;
  readonly phases: readonly PhaseResult[];
}

export interface Ending {
  readonly status: Extract<RecoveryStatus, 'done' | 'degraded'>;
  readonly reason: string;
  /** What the resource becomes. */
  readonly resource: ResourceStatus;
}

const detailOf = (phases: readonly PhaseResult[], name: PhaseResult['name'], key: string): unknown =>
  phases.findLast((phase) => phase.name === name)?.detail[key];

/** How a recovery that went through all its phases ends, and why. */
export const endingOf = (facts: EndingFacts): Ending => {
  const restored = detailOf(facts.phases, 'RestoreSystem', 'answer');
  const resumed = detailOf(facts.phases, 'ResumeService', 'answer');
  const faults = detailOf(facts.phases, 'ValidateCompletely', 'faults');
  const complaints: string[] = [];
  if (facts.pendingGroups > 0) complaints.push(`${facts.pendingGroups} groups wait for room`);
  if (resumed === 'timeout') complaints.push('not all moved work was reported running in time');
  if (Array.isArray(faults) && faults.length > 0) complaints.push(`validation found: ${faults.join('; ')}`);
  const resource = resourceAfter(facts.trigger, restored);
  return {
    status: complaints.length === 0 ? 'done' : 'degraded',
    reason: [...complaints, `the resource is ${resource.status}: ${resource.because}`].join('; '),
    resource: resource.status,
  };
};

const resourceAfter = (trigger: Trigger, restored: unknown): { status: ResourceStatus; because: string } => {
  if (trigger === 'drain') return { status: 'drained', because: 'as asked' };
  switch (restored) {
    case 'restored':
    case 'replaced':
      // It stays offline until its agent beats at the new epoch: its word alone runs no work.
      return { status: 'offline', because: `${restored}, it returns with its next heartbeat` };
    case 'refused':
      return { status: 'offline', because: 'its labscape refused to restore it' };
    case 'gone':
      return { status: 'offline', because: 'its labscape says it is gone' };
    default:
      return { status: 'offline', because: 'nobody answered the restore order' };
  }
};
