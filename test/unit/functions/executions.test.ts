import {
  ExecutionAlreadyExists,
  ExecutionLimitExceeded,
  type SFNClient,
  StateMachineDoesNotExist,
  TaskTimedOut,
} from '@aws-sdk/client-sfn';
import { describe, expect, test } from '@jest/globals';
import { TRANSIENT } from '../../../infra/constructs/recovery-states.ts';
import { stateMachineExecutions } from '../../../lib/workflow/executions.ts';

const INPUT = { resource: 'r', epoch: 1, attempt: 1, trigger: 'detector' } as const;
const SAID = { message: 'said', $metadata: {} };

/** What Step Functions answers, as the SDK throws it. */
const answering = (error: Error) =>
  stateMachineExecutions({ send: () => Promise.reject(error) } as unknown as SFNClient, 'arn');

const named = (name: string, status?: number): Error =>
  Object.assign(new Error('said'), { name, $metadata: { httpStatusCode: status } });

const calls = (error: Error): readonly (() => Promise<unknown>)[] => {
  const executions = answering(error);
  return [
    () => executions.start(INPUT),
    () => executions.succeed('token'),
    () => executions.fail('token', 'Rejected', 'no'),
  ];
};

describe('calls of the state machine', () => {
  test.each([
    ['Throttled', named('ThrottlingException', 400)],
    ['Throttled', new ExecutionLimitExceeded(SAID)],
    ['StoreUnavailable', named('TimeoutError')],
    ['StoreUnavailable', named('InternalFailure', 500)],
    ['StoreUnavailable', Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' })],
  ])('that may go through next time fail as %s, after which a task is tried again', async (name, error) => {
    expect(TRANSIENT).toContain(name);
    for (const call of calls(error)) await expect(call()).rejects.toMatchObject({ name, cause: error });
  });

  test('tell a name that was used and a task that no longer waits from faults', async () => {
    await expect(answering(new ExecutionAlreadyExists(SAID)).start(INPUT)).resolves.toBe('already');
    await expect(answering(new TaskTimedOut(SAID)).succeed('token')).resolves.toBe('gone');
  });

  test('that can never go through fail as they are', async () => {
    const error = new StateMachineDoesNotExist(SAID);
    for (const call of calls(error)) await expect(call()).rejects.toBe(error);
  });
});
