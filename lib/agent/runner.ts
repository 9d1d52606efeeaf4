import type { Work } from './work.ts';

/** What a runner says of one piece of work; `stopped` is its last word and means that nothing of it runs. */
export type RunnerEvent =
  | { readonly kind: 'running'; readonly key: string }
  | { readonly kind: 'failed'; readonly key: string; readonly reason: string }
  | { readonly kind: 'stopped'; readonly key: string };

/**
 * Runs the work of one resource. A runner keeps trying to run what was started until it is told to stop, and says
 * `failed` whenever it does not run. Its methods return at once; results come as events, never during the call.
 */
export interface Runner {
  start(work: Work): void;
  /** The same work under a new group or epoch. */
  adopt(work: Work): void;
  stop(key: string): void;
  /** Ends everything by force, without waiting; each piece still ends with `stopped`. */
  killAll(): void;
  /** Tells the work until when it may run, epoch ms, where the runner has a way to. */
  leaseUntil?(wallMs: number): void;
  /** Faults of the host itself since the last call, e.g. processes that could not be created. */
  takeFaults(): number;
}

export type RunnerListener = (event: RunnerEvent) => void;
