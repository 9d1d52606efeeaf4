import { ProblemError } from '../errors.ts';
import { retireAttempt } from '../store/recovery-writes.ts';
import type { ResourceRecord } from '../store/resources.ts';
import type { Requester } from './origin.ts';
import { changeStatus, getResource } from './resources.ts';
import { type ExecutionInput, executionName, type Runtime } from './runtime.ts';

export const inputFor = (resource: ResourceRecord, trigger: ExecutionInput['trigger']): ExecutionInput => ({
  resource: resource.id,
  epoch: resource.epoch,
  attempt: resource.attempt,
  trigger,
});

const start = async (
  runtime: Runtime,
  input: ExecutionInput,
): Promise<{ recovery: string; resource: string }> => {
  if ((await runtime.executions.start(input)) === 'started') return startedAs(input);
  // The name was used: by an execution that runs, which this one joins, or by one that died before it wrote anything.
  const resource = await getResource(runtime, input.resource);
  const dead =
    resource.recovery === undefined && (await retireAttempt(runtime.store, resource, input.attempt));
  if (!dead) return startedAs(input);
  const next = { ...input, attempt: input.attempt + 1 };
  await runtime.executions.start(next);
  return startedAs(next);
};

export const startedAs = (input: ExecutionInput): { recovery: string; resource: string } => ({
  recovery: executionName(input),
  resource: input.resource,
});

const refuseIfOwned = (resource: ResourceRecord): void => {
  if (resource.recovery !== undefined) {
    throw new ProblemError(
      'not-in-this-state',
      `recovery ${resource.recovery} owns resource ${resource.id}: wait for its end`,
    );
  }
};

/** A person's verdict: failed, and recovered now. Raises not-found, not-in-this-state. */
export const failResource = async (
  runtime: Runtime,
  id: string,
  reason: string,
  requester: Requester,
): Promise<{ recovery: string; resource: string }> => {
  const seen = await getResource(runtime, id);
  refuseIfOwned(seen);
  const failed =
    seen.status === 'failed'
      ? seen
      : await changeStatus(
          runtime,
          id,
          { type: 'resource.failed', to: 'failed', reason, failedBy: 'api', unlocked: true },
          requester,
        );
  return start(runtime, inputFor(failed, 'api'));
};

/** Moves everything away and keeps the resource empty. Raises not-found, not-in-this-state. */
export const drainResource = async (
  runtime: Runtime,
  id: string,
): Promise<{ recovery: string; resource: string }> => {
  const seen = await getResource(runtime, id);
  refuseIfOwned(seen);
  if (seen.status !== 'healthy' && seen.status !== 'suspect') {
    throw new ProblemError(
      'not-in-this-state',
      `resource ${id} is ${seen.status}: there is nothing to drain`,
    );
  }
  return start(runtime, inputFor(seen, 'drain'));
};
