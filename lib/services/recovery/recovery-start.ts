import type * as z from 'zod';
import { ProblemError } from '../../errors.ts';
import type { DrainInput } from '../../schemas/recovery.ts';
import type { ResourceRecord } from '../../store/fleet/resources.ts';
import { writeBriefs } from '../../store/recovery/recovery-briefs.ts';
import { markDrain, retireAttempt } from '../../store/recovery/recovery-writes.ts';
import type { Requester } from '../origin.ts';
import { changeStatus, getResource } from '../registry/resources.ts';
import { type ExecutionInput, executionName, type Runtime } from '../runtime.ts';
import { moveGracefully } from './graceful.ts';
import { refuseIfOff } from './switched-off.ts';

/** An order is written down while nothing else comes up; who finds something each time is told. */
const MARK_TRIES = 3;

/** By which a repeated start is known: the next owner change or attempt has another. */
export const inputFor = (resource: ResourceRecord, trigger: ExecutionInput['trigger']): ExecutionInput => ({
  resource: resource.id,
  epoch: resource.epoch,
  attempt: resource.attempt,
  trigger,
});

/** Starts the execution; where one of its name has died before it wrote anything, the next attempt. */
export const start = async (
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
  await refuseIfOff(runtime, seen.labscape);
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

const refuseUnlessRuns = ({ id, status }: ResourceRecord): void => {
  if (status !== 'healthy' && status !== 'suspect')
    throw new ProblemError('not-in-this-state', `resource ${id} is ${status}: there is nothing to drain`);
};

/** The resource as it was when the order to drain it was written down. Raises what `check` does, conflict. */
const marked = async (runtime: Runtime, check: () => Promise<ResourceRecord>): Promise<ResourceRecord> => {
  for (let tries = 0; tries < MARK_TRIES; tries += 1) {
    const seen = await check();
    if (await markDrain(runtime.store, seen, runtime.clock.now())) return seen;
  }
  throw new ProblemError('conflict', 'the resource changes hands again and again: try again');
};

/**
 * Moves everything away and keeps the resource empty. With `graceMs` what fits below fill moves while the resource
 * still runs; what is left when that is over moves behind the fence, as without. Raises not-found, not-in-this-state.
 */
export const drainResource = async (
  runtime: Runtime,
  id: string,
  { reason, graceMs }: z.infer<typeof DrainInput>,
  requester: Requester,
): Promise<{ recovery: string; resource: string }> => {
  const check = async (): Promise<ResourceRecord> => {
    const seen = await getResource(runtime, id);
    await refuseIfOff(runtime, seen.labscape);
    refuseIfOwned(seen);
    refuseUnlessRuns(seen);
    return seen;
  };
  await check();
  const grace =
    graceMs === undefined
      ? undefined
      : await moveGracefully(runtime, id, { reason, budgetMs: graceMs, except: [] }, requester);
  const now = await marked(runtime, check);
  if (grace !== undefined)
    await writeBriefs(runtime.store, [{ resource: id, epoch: now.epoch, at: runtime.clock.now(), grace }]);
  return start(runtime, inputFor(now, 'drain'));
};
