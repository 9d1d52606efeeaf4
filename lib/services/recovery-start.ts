import { ProblemError } from '../errors.ts';
import type { ResourceRecord } from '../store/resources.ts';
import type { Requester } from './origin.ts';
import { changeStatus, getResource } from './resources.ts';
import { type ExecutionInput, executionName, type Runtime } from './runtime.ts';

const inputFor = (resource: ResourceRecord, trigger: ExecutionInput['trigger']): ExecutionInput => ({
  resource: resource.id,
  epoch: resource.epoch,
  attempt: resource.attempt,
  trigger,
});

const start = async (
  runtime: Runtime,
  input: ExecutionInput,
): Promise<{ recovery: string; resource: string }> => {
  await runtime.executions.start(input);
  return { recovery: executionName(input), resource: input.resource };
};

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
