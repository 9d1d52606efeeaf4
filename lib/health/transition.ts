import type { FailedBy, ResourceStatus } from '../schemas/resource.ts';
import { type DetectorPolicy, judge, type Pulse } from './detector.ts';
import { type Testimony, weighed } from './testimony.ts';

export interface Watched {
  readonly status: ResourceStatus;
  readonly epoch: number;
  readonly failedBy: FailedBy | undefined;
  /** A recovery was refused: nobody else will take the failed verdict back. */
  readonly refused: boolean;
  readonly locked: boolean;
}

export interface StatusStep {
  readonly to: 'healthy' | 'suspect' | 'failed';
  readonly reason: string;
  /** It comes back after its work was moved away. */
  readonly returns?: boolean;
}

/** What the newest evidence makes of a resource's status; undefined when it stays. Only changes are written. */
export const stepFor = (
  watched: Watched,
  pulse: Pulse | undefined,
  now: number,
  policy: DetectorPolicy,
  testimony?: Testimony,
): StatusStep | undefined => {
  if (watched.locked) return undefined;
  const { verdict, reason } = weighed(judge(pulse, now, policy), testimony);
  switch (watched.status) {
    case 'healthy':
      return verdict === 'suspect' || verdict === 'failed' ? { to: verdict, reason } : undefined;
    case 'suspect':
      if (verdict === 'failed') return { to: 'failed', reason };
      return verdict === 'healthy' ? { to: 'healthy', reason } : undefined;
    case 'failed':
      // What a person declared failed, a person takes back.
      return verdict === 'healthy' && watched.refused && watched.failedBy === 'detector'
        ? { to: 'healthy', reason: 'beating again' }
        : undefined;
    case 'offline':
      // It returns once its agent has carried out the epoch of its fence, i.e. stopped all that ran before. Who speaks of
      // an epoch that nobody has given yet cannot have carried it out.
      return verdict === 'healthy' && pulse !== undefined && pulse.epoch === watched.epoch
        ? {
            to: 'healthy',
            reason: 'returned: its agent has stopped all work of older epochs',
            returns: true,
          }
        : undefined;
    default:
      return undefined;
  }
};
