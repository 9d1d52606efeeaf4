import {
  ExecutionAlreadyExists,
  InvalidToken,
  SendTaskFailureCommand,
  SendTaskSuccessCommand,
  type SFNClient,
  StartExecutionCommand,
  TaskDoesNotExist,
  TaskTimedOut,
} from '@aws-sdk/client-sfn';
import { type ExecutionInput, type Executions, executionName } from '../services/runtime.ts';
import { TASK_VERSION } from './task-version.ts';

/** A task that has timed out, was answered before, or belongs to an execution that ended. */
const isGone = (error: unknown): boolean =>
  error instanceof TaskDoesNotExist || error instanceof TaskTimedOut || error instanceof InvalidToken;

const answered = async (send: () => Promise<unknown>): Promise<'done' | 'gone'> => {
  try {
    await send();
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
      await client.send(
        new StartExecutionCommand({
          stateMachineArn,
          name: executionName(input),
          input: JSON.stringify({ v: TASK_VERSION, ...input }),
        }),
      );
      return 'started';
    } catch (error) {
      if (error instanceof ExecutionAlreadyExists) return 'already';
      throw error;
    }
  },
  succeed: (token) =>
    answered(() => client.send(new SendTaskSuccessCommand({ taskToken: token, output: '{}' }))),
  fail: (token, error, cause) =>
    answered(() => client.send(new SendTaskFailureCommand({ taskToken: token, error, cause }))),
});
