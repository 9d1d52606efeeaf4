import type { Chance, Clock } from '../clock.ts';
import type { Trigger } from '../schemas/recovery.ts';
import type { Store } from '../store/store.ts';
import type { Fleet } from './fleet.ts';
import type { QuotaBook } from './placement/quota-book.ts';

/** Input of a recovery's execution; its name is `resource-epoch-attempt`, so that a duplicate collapses. */
export interface ExecutionInput {
  readonly resource: string;
  readonly epoch: number;
  readonly attempt: number;
  readonly trigger: Trigger;
}

/** The state machine, as those who start it or answer it see it. */
export interface Executions {
  /** `already`: an execution of this name exists; that is a success. */
  start(input: ExecutionInput): Promise<'started' | 'already'>;
  /** `gone`: the task no longer waits. */
  succeed(token: string): Promise<'done' | 'gone'>;
  fail(token: string, error: string, cause: string): Promise<'done' | 'gone'>;
}

/** All that use cases need from outside. */
export interface Runtime {
  readonly store: Store;
  readonly fleet: Fleet;
  readonly quotas: QuotaBook;
  readonly executions: Executions;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly sleep: (ms: number) => Promise<void>;
  /** False: the detector only writes verdicts, and alarms start recoveries. */
  readonly detectorStarts: boolean;
  /** False: heartbeats are written as code before version 2 of their items reads them, see docs/updates.md. */
  readonly packedBeats?: boolean;
  /** Hears of every failed verdict, by labscape: the metric that alarms watch. */
  readonly onFailure: (labscape: string) => void;
}

/** `resource-epoch-attempt`: a name is used once, so that a second start of the same collapses. */
export const executionName = (input: ExecutionInput): string =>
  `${input.resource}-${input.epoch}-${input.attempt}`;
