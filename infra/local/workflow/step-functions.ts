import { randomUUID } from 'node:crypto';
import * as z from 'zod';
import { type AwsCall, type AwsEndpoint, AwsError, startAwsEndpoint } from '../aws-endpoint.ts';
import { Guard, type PermissionUse } from '../functions/guard.ts';
import type { LocalMachine } from '../template/template.ts';
import type { LocalFunction } from '../template/template-functions.ts';
import type { Execution, Executions } from './executions.ts';

const LIST_MAX = 1000;
const Start = z.object({
  stateMachineArn: z.string(),
  name: z.string().optional(),
  input: z.string().default('{}'),
});
const OfExecution = z.object({
  executionArn: z.string(),
  error: z.string().optional(),
  cause: z.string().optional(),
});
const List = z.object({
  stateMachineArn: z.string(),
  statusFilter: z.string().optional(),
  maxResults: z.int().max(LIST_MAX).optional(),
});
const OfTask = z.object({
  taskToken: z.string(),
  output: z.string().default('null'),
  error: z.string().default(''),
  cause: z.string().default(''),
});

export interface StepFunctionsEndpoint extends AwsEndpoint {
  permissionsUsed(): readonly PermissionUse[];
}

/** Step Functions' API in front of the executions. */
export async function startStepFunctionsEndpoint(options: {
  readonly callers: ReadonlyMap<string, LocalFunction>;
  readonly machines: readonly LocalMachine[];
  readonly executions: Executions;
  readonly guards: boolean;
}): Promise<StepFunctionsEndpoint> {
  const guard = options.guards ? new Guard() : undefined;
  const api = new Api(options.executions, options.machines, guard);
  const endpoint = await startAwsEndpoint(options.callers, async (call) => ({
    status: 200,
    body: JSON.stringify(api.answer(call)),
  }));
  return { ...endpoint, permissionsUsed: () => guard?.used() ?? [] };
}

class Api {
  readonly #executions: Executions;
  readonly #machines: readonly LocalMachine[];
  readonly #guard: Guard | undefined;

  constructor(executions: Executions, machines: readonly LocalMachine[], guard: Guard | undefined) {
    this.#executions = executions;
    this.#machines = machines;
    this.#guard = guard;
  }

  answer(call: AwsCall): unknown {
    switch (call.operation) {
      case 'StartExecution':
        return this.#start(call, parse(Start, call.input));
      case 'DescribeExecution': {
        const { executionArn } = parse(OfExecution, call.input);
        this.#check(call, executionArn);
        return describe(this.#executions.get(executionArn));
      }
      case 'StopExecution': {
        const { executionArn, error, cause } = parse(OfExecution, call.input);
        this.#check(call, executionArn);
        const execution = this.#executions.stop(executionArn, error, cause);
        return { stopDate: seconds(execution.endedAt ?? execution.startedAt) };
      }
      case 'ListExecutions':
        return this.#list(call, parse(List, call.input));
      case 'SendTaskSuccess':
      case 'SendTaskFailure':
      case 'SendTaskHeartbeat':
        return this.#answerTask(call, parse(OfTask, call.input));
      default:
        throw new AwsError('UnknownOperationException', `${call.operation} is not emulated`);
    }
  }

  #start(call: AwsCall, input: z.infer<typeof Start>): unknown {
    this.#check(call, input.stateMachineArn);
    const execution = this.#executions.start(
      input.stateMachineArn,
      input.name ?? randomUUID(),
      json(input.input, 'InvalidExecutionInput'),
    );
    return { executionArn: execution.arn, startDate: seconds(execution.startedAt) };
  }

  #list(call: AwsCall, input: z.infer<typeof List>): unknown {
    this.#check(call, input.stateMachineArn);
    const executions = this.#executions
      .list()
      .filter(({ machineArn }) => machineArn === input.stateMachineArn)
      .filter(({ status }) => input.statusFilter === undefined || status === input.statusFilter)
      .slice(0, input.maxResults ?? LIST_MAX);
    return { executions: executions.map((execution) => summary(execution)) };
  }

  #answerTask(call: AwsCall, input: z.infer<typeof OfTask>): unknown {
    // The token hides which machine it belongs to; a role that may answer none of them may not ask either.
    for (const { arn } of this.#machines) this.#check(call, arn);
    const { tokens } = this.#executions;
    const state = tokens.stateOf(input.taskToken);
    if (state === 'unknown') throw new AwsError('InvalidToken', `Invalid Token: '${input.taskToken}'`);
    if (state === 'ended')
      throw new AwsError('TaskTimedOut', `Task Timed Out: Provided task does not exist anymore`);
    if (call.operation === 'SendTaskSuccess')
      tokens.succeed(input.taskToken, json(input.output, 'InvalidOutput'));
    if (call.operation === 'SendTaskFailure') tokens.fail(input.taskToken, input.error, input.cause);
    return {};
  }

  #check(call: AwsCall, resource: string): void {
    this.#guard?.authorise(call.caller, `states:${call.operation}`, resource);
  }
}

/** The protocol's timestamps are seconds. */
const seconds = (ms: number) => ms / 1000;

function summary(execution: Execution) {
  return {
    executionArn: execution.arn,
    stateMachineArn: execution.machineArn,
    name: execution.name,
    status: execution.status,
    startDate: seconds(execution.startedAt),
    ...(execution.endedAt === undefined ? {} : { stopDate: seconds(execution.endedAt) }),
  };
}

function describe(execution: Execution) {
  return {
    ...summary(execution),
    input: JSON.stringify(execution.input),
    ...(execution.status === 'SUCCEEDED' ? { output: JSON.stringify(execution.output) } : {}),
    ...(execution.error === undefined ? {} : { error: execution.error }),
    ...(execution.cause === undefined ? {} : { cause: execution.cause }),
  };
}

function json(text: string, error: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new AwsError(error, 'not JSON');
  }
}

function parse<T extends z.ZodType>(shape: T, input: unknown): z.infer<T> {
  const parsed = shape.safeParse(input);
  if (parsed.success) return parsed.data;
  throw new AwsError('ValidationException', z.prettifyError(parsed.error));
}
