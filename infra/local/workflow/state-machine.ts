import { StateMachine, type StateMachineDefinition } from 'aws-local-stepfunctions';
import * as z from 'zod';
import type { Invocation } from '../functions/functions.ts';
import type { LocalMachine } from '../template/template.ts';
import { StateError, type TaskTokens, WAIT_MAX_S } from './task-tokens.ts';

/** What an execution may carry from state to state, bytes. */
const DATA_BYTES_MAX = 262_144;
/** Stands for the task token until the task that passes it on makes one. */
const TOKEN_PLACEHOLDER = 'labscape:task-token';
const WAIT_RESOURCE = /:states:::lambda:invoke\.waitForTaskToken$/;
const FUNCTION_RESOURCE = /:lambda:[^:]+:\d+:function:[\w-]+$/;

const TaskState = z.looseObject({
  Type: z.string(),
  Resource: z.string().optional(),
  TimeoutSeconds: z.int().optional(),
  TimeoutSecondsPath: z.string().optional(),
  HeartbeatSeconds: z.never('HeartbeatSeconds is not emulated').optional(),
  Parameters: z.record(z.string(), z.unknown()).optional(),
});
const Definition = z.looseObject({
  QueryLanguage: z.literal('JSONPath').optional(),
  StartAt: z.string(),
  States: z.record(z.string(), TaskState),
});
const WaitInput = z.object({ FunctionName: z.string(), Payload: z.unknown(), timeoutS: z.number() });

export type Invoke = (functionArn: string, payload: unknown) => Promise<Invocation>;
type JsonValue = Parameters<StateMachine['run']>[0];
type TaskHandler = (input: JsonValue) => Promise<JsonValue>;

export interface Run {
  readonly result: Promise<unknown>;
  abort(): void;
}

/** A machine of the template, run by the ASL library: Retry, Catch and Choice are its own, the tasks are ours. */
export class RunnableMachine {
  readonly name: string;
  readonly arn: string;
  readonly #machine: StateMachine;
  readonly #tasks: readonly (readonly [string, 'plain' | 'wait', string])[];
  readonly #invoke: Invoke;
  readonly #tokens: TaskTokens;
  readonly #retriesAtOnce: boolean;

  /** With `retriesAtOnce` the pauses between the tries of a task are left to whoever invokes it. */
  constructor(
    machine: LocalMachine,
    invoke: Invoke,
    tokens: TaskTokens,
    options: { readonly retriesAtOnce?: boolean } = {},
  ) {
    this.#retriesAtOnce = options.retriesAtOnce ?? false;
    this.name = machine.name;
    this.arn = machine.arn;
    this.#invoke = invoke;
    this.#tokens = tokens;
    const definition = Definition.parse(JSON.parse(machine.definition));
    this.#tasks = Object.entries(definition.States)
      .filter(([, state]) => state.Type === 'Task')
      .map(([name, { Resource = '' }]) => [name, kindOf(machine.name, name, Resource), Resource] as const);
    const waits = new Set(this.#tasks.filter(([, kind]) => kind === 'wait').map(([name]) => name));
    const States = Object.fromEntries(
      Object.entries(definition.States).map(([name, state]) => [
        name,
        waits.has(name) ? adaptWait(state) : state,
      ]),
    );
    this.#machine = new StateMachine({ ...definition, States } as StateMachineDefinition, {
      // The template has been validated by CDK; here ARNs are those of no account.
      validationOptions: { noValidate: true },
    });
  }

  run(executionArn: string, name: string, input: unknown): Run {
    const context = {
      Execution: { Id: executionArn, Name: name },
      StateMachine: { Id: this.arn, Name: this.name },
      Task: { Token: TOKEN_PLACEHOLDER },
    };
    const taskResourceLocalHandlers: Record<string, TaskHandler> = {};
    for (const [state, kind, resource] of this.#tasks)
      taskResourceLocalHandlers[state] =
        kind === 'plain'
          ? async (payload) => this.#call(resource, payload)
          : async (payload) => this.#wait(executionArn, payload);
    const retryIntervalOverrides = this.#retriesAtOnce
      ? Object.fromEntries(this.#tasks.map(([state]) => [state, 0]))
      : {};
    const overrides = { taskResourceLocalHandlers, retryIntervalOverrides };
    const run = this.#machine.run(input as JsonValue, { overrides, context });
    return { result: run.result, abort: run.abort };
  }

  async #call(functionArn: string, payload: unknown): Promise<JsonValue> {
    const answer = await this.#invoke(functionArn, payload);
    if (!answer.ok) throw new StateError(answer.errorType, answer.errorMessage);
    const bytes = Buffer.byteLength(JSON.stringify(answer.payload));
    if (bytes > DATA_BYTES_MAX)
      throw new StateError('States.DataLimitExceeded', `the answer has ${bytes} bytes`, false);
    return answer.payload as JsonValue;
  }

  async #wait(executionArn: string, input: unknown): Promise<JsonValue> {
    const { FunctionName, Payload, timeoutS } = WaitInput.parse(input);
    const output = await this.#tokens.wait(executionArn, timeoutS, async (token) => {
      await this.#call(FunctionName, withToken(Payload, token));
    });
    return output as JsonValue;
  }
}

function kindOf(machine: string, state: string, resource: string): 'plain' | 'wait' {
  if (WAIT_RESOURCE.test(resource)) return 'wait';
  if (FUNCTION_RESOURCE.test(resource)) return 'plain';
  throw new Error(`state machine ${machine}: resource ${resource} of ${state} is not emulated`);
}

/**
 * The library reads TimeoutSecondsPath from the task's parameters, AWS from the state's input. So the timeout becomes
 * one of the parameters, and we keep it ourselves.
 */
function adaptWait({ TimeoutSecondsPath, TimeoutSeconds, ...state }: z.infer<typeof TaskState>) {
  const timeout =
    TimeoutSecondsPath === undefined
      ? { timeoutS: TimeoutSeconds ?? WAIT_MAX_S }
      : { 'timeoutS.$': TimeoutSecondsPath };
  return { ...state, Parameters: { ...state.Parameters, ...timeout }, TimeoutSeconds: WAIT_MAX_S };
}

function withToken(value: unknown, token: string): unknown {
  if (value === TOKEN_PLACEHOLDER) return token;
  if (Array.isArray(value)) return value.map((item) => withToken(item, token));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withToken(inner, token)]));
}
