import type { Assignment } from '../schemas/assignment.ts';

/** One allocation as this resource runs it. */
export type Work = Omit<Assignment, 'startInMs'>;

/** Names an allocation: its id is unique within its tenant only. */
export const keyOf = (work: Pick<Assignment, 'tenant' | 'allocation'>): string =>
  `${work.tenant}/${work.allocation}`;

/**
 * starting → running | failed; running → failed; failed → running (its runner tries again); any → stopping, which
 * ends in removal.
 */
export type RunState = 'starting' | 'running' | 'failed' | 'stopping';

export interface Running {
  readonly work: Work;
  readonly state: RunState;
  /** Why it failed. */
  readonly reason?: string;
}

export interface DueWork {
  readonly work: Work;
  /** Monotonic ms: not before, because the previous owner may still run it. */
  readonly dueMs: number;
}

/** What the control plane wants this resource to run. */
export interface Desired {
  readonly epoch: number;
  readonly revision: number;
  /** false: something may be missing, so nothing may be concluded from absence. */
  readonly complete: boolean;
  readonly items: ReadonlyMap<string, DueWork>;
}
