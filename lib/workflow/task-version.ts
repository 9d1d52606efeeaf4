import { NewerVersion } from '../errors.ts';

/**
 * Version of what a task is told: the payload that the state machine's definition makes, and the execution's input.
 * An execution keeps the definition and the input that it began with, so every older version must be understood for
 * as long as such an execution may live; what came before versions is 1.
 */
export const TASK_VERSION = 1;

/** Throws NewerVersion: the definition or the starter was deployed before this code, or this code was rolled back. */
export const refuseNewerTask = (what: string, version: number | undefined): void => {
  if (version !== undefined && version > TASK_VERSION) throw new NewerVersion(what, version, TASK_VERSION);
};
