import type { WatchOptions, WatchResult } from '../availability/availability-history.ts';
import type { SeedResult } from '../run-seed.ts';

/** A history for finding bugs. The trace is long: it travels when it is wanted, or when an invariant broke. */
export interface SeedJob {
  readonly kind: 'seed';
  readonly seed: number;
  /** As in `--left-out`. */
  readonly leftOut?: string;
  readonly trace?: boolean;
  /** Times the faults of the standard history; a mutation brings its own. */
  readonly factor?: number | undefined;
  /** Through all layers of the SDK. */
  readonly sdk?: boolean;
  /** Name of a bug to put in. */
  readonly mutation?: string;
}

/** A history for measuring what is served. */
export interface WatchJob extends Omit<WatchOptions, 'template' | 'engine' | 'engineUrl'> {
  readonly kind: 'watch';
}

export type Job = SeedJob | WatchJob;
export type ResultOf<J extends Job> = J extends SeedJob ? SeedResult : WatchResult;

export interface Reply {
  readonly result?: SeedResult | WatchResult;
  readonly error?: string;
}
