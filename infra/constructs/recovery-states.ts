/**
 * Errors after which the same call may succeed. A task may be killed at any point and repeated (invariant 6), hence
 * the crash and the timeout of a function are among them.
 */
export const TRANSIENT = [
  'Throttled',
  'StoreUnavailable',
  'LostRace',
  // While a rollout moves callers to newer code, the next call may meet it.
  'NewerVersion',
  'Lambda.ServiceException',
  'Lambda.AWSLambdaException',
  'Lambda.SdkClientException',
  'Lambda.TooManyRequestsException',
  'Lambda.ClientExecutionTimeoutException',
  'Lambda.Unknown',
  'Sandbox.Timedout',
  'Runtime.ExitError',
];

/**
 * The states in the order a recovery passes them. A phase that branches may name any later one: a repeated task, or
 * an attempt that takes a recovery over, goes on where the record stands. Nothing goes back.
 */
export const ORDER = [
  'Detect',
  'Decide',
  'AwaitApproval',
  'Initiate',
  'AwaitFence',
  'Failover',
  'Reassign',
  'Verify',
  'RestoreSystem',
  'AwaitRestore',
  'RecoverData',
  'ResumeService',
  'AwaitRunning',
  'RestorePerformance',
  'ValidateCompletely',
  'Close',
  'End',
] as const;
type StateName = (typeof ORDER)[number] | 'Compensate' | 'Park';

export interface Phase {
  readonly name: StateName;
  /** Where its answer leads: to this state, or to the one it names. */
  readonly next: StateName | 'as-answered';
  /** Where an error goes that nothing else handles. */
  readonly onError: 'Compensate' | 'Park' | 'ParkFailed';
}
export interface Wait {
  readonly name: StateName;
  readonly next: StateName;
  readonly onTimeout: StateName;
  readonly onRejected?: StateName;
  readonly onError: 'Compensate' | 'Park';
}

/** The machine as a table. Before the flip an error unfences (Compensate); after it nothing is flipped back (Park). */
export const PHASES: readonly Phase[] = [
  { name: 'Detect', next: 'as-answered', onError: 'Compensate' },
  { name: 'Decide', next: 'as-answered', onError: 'Compensate' },
  { name: 'Initiate', next: 'as-answered', onError: 'Compensate' },
  { name: 'Failover', next: 'Reassign', onError: 'Compensate' },
  { name: 'Reassign', next: 'Verify', onError: 'Park' },
  { name: 'Verify', next: 'RestoreSystem', onError: 'Park' },
  { name: 'RestoreSystem', next: 'as-answered', onError: 'Park' },
  { name: 'RecoverData', next: 'ResumeService', onError: 'Park' },
  { name: 'ResumeService', next: 'as-answered', onError: 'Park' },
  { name: 'RestorePerformance', next: 'ValidateCompletely', onError: 'Park' },
  { name: 'ValidateCompletely', next: 'Close', onError: 'Park' },
  { name: 'Close', next: 'End', onError: 'Park' },
  { name: 'Compensate', next: 'End', onError: 'Park' },
  { name: 'Park', next: 'End', onError: 'ParkFailed' },
];
export const WAITS: readonly Wait[] = [
  {
    name: 'AwaitApproval',
    next: 'Initiate',
    onTimeout: 'Compensate',
    onRejected: 'Compensate',
    onError: 'Compensate',
  },
  { name: 'AwaitFence', next: 'Failover', onTimeout: 'Failover', onError: 'Compensate' },
  { name: 'AwaitRestore', next: 'RecoverData', onTimeout: 'RecoverData', onError: 'Park' },
  { name: 'AwaitRunning', next: 'RestorePerformance', onTimeout: 'RestorePerformance', onError: 'Park' },
];

/** Every state that calls the recovery function. */
export const PHASE_NAMES: readonly string[] = [...PHASES, ...WAITS].map(({ name }) => name);
