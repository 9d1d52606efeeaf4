import {
  ExecutionAlreadyExists,
  ExecutionLimitExceeded,
  InvalidToken,
  SendTaskFailureCommand,
  SendTaskSuccessCommand,
  type SFNClient,
  StartExecutionCommand,
  TaskDoesNotExist,
  TaskTimedOut,
} from '@aws-sdk/client-sfn';
import { type ExecutionInput, type Executions, executionName } from '../services/runtime.ts';
import { Throttled, translate } from '../store/table/errors.ts';
import { TASK_VERSION } from './task-version.ts';

/** A task that has timed out, was answered before, or belongs to an execution that ended. */
const isGone = (error: unknown): boolean =>
  error instanceof TaskDoesNotExist || error instanceof TaskTimedOut || error instanceof InvalidToken;

/** What may go through next time gets the names that the machine's own Retry knows: a task may be what calls. */
const asked = async <T>(action: string, send: () => Promise<T>): Promise<T> =>
  translate(action, async () => {
    try {
      return await send();
    } catch (error) {
      if (error instanceof ExecutionLimitExceeded)
        throw new Throttled(`${action}: ${error.name}`, { cause: error });
      throw error;
    }
  });

const answered = async (action: string, send: () => Promise<unknown>): Promise<'done' | 'gone'> => {
  try {
    await asked(action, send);
    return 'done';
  } catch (error) {
    if (isGone(error)) return 'gone';
    throw error;
  }
};

/** Step Functions behind the interface the use cases know. */
export const stateMachineExecutions = (client: SFNClient, stateMachineArn: string): Executions => ({
  start: async (input: ExecutionInput) => {
    try {
      const command = new StartExecutionCommand({
        stateMachineArn,
        name: executionName(input),
        input: JSON.stringify({ v: TASK_VERSION, ...input }),
      });
      await asked('start', () => client.send(command));
      return 'started';
    } catch (error) {
      if (error instanceof ExecutionAlreadyExists) return 'already';
      throw error;
    }
  },
  succeed: (token) =>
    answered('succeed', () => client.send(new SendTaskSuccessCommand({ taskToken: token, output: '{}' }))),
  fail: (token, error, cause) =>
    answered('fail', () => client.send(new SendTaskFailureCommand({ taskToken: token, error, cause }))),
});
