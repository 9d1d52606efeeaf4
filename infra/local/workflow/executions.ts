import { isDeepStrictEqual } from 'node:util';
import { AwsError } from '../aws-endpoint.ts';
import { asError } from '../errors.ts';
import type { LocalMachine } from '../template/template.ts';
import type { Invoke, Run } from './state-machine.ts';
import { RunnableMachine } from './state-machine.ts';
import { TaskTokens } from './task-tokens.ts';

/** Ended executions kept, with their names; AWS keeps them for 90 days. */
const ENDED_MAX = 10_000;
const NAME = /^[A-Za-z0-9_-]{1,80}$/;

export type ExecutionStatus = 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'ABORTED';

export interface Execution {
  readonly arn: string;
  readonly name: string;
  readonly machineArn: string;
  readonly input: unknown;
  /** Epoch ms. */
  readonly startedAt: number;
  status: ExecutionStatus;
  endedAt?: number;
  output?: unknown;
  error?: string;
  cause?: string;
}

/** Executions of the template's machines. They live as long as the host: a restart forgets them. */
export class Executions {
  readonly tokens = new TaskTokens();
  readonly #machines = new Map<string, RunnableMachine>();
  readonly #executions = new Map<string, Execution>();
  readonly #runs = new Map<string, Run>();
  readonly #onFailure: (execution: Execution) => void;

  constructor(machines: readonly LocalMachine[], invoke: Invoke, onFailure: (execution: Execution) => void) {
    this.#onFailure = onFailure;
    for (const machine of machines)
      this.#machines.set(machine.arn, new RunnableMachine(machine, invoke, this.tokens));
  }

  /** As AWS: the name of a running execution with the same input answers with that one; any other reuse is refused. */
  start(machineArn: string, name: string, input: unknown): Execution {
    const machine = this.#machines.get(machineArn);
    if (machine === undefined)
      throw new AwsError('StateMachineDoesNotExist', `State Machine Does Not Exist: '${machineArn}'`);
    if (!NAME.test(name)) throw new AwsError('InvalidName', `Invalid Name: '${name}'`);
    const arn = `${machineArn.replace(':stateMachine:', ':execution:')}:${name}`;
    const known = this.#executions.get(arn);
    if (known !== undefined) {
      if (known.status === 'RUNNING' && isDeepStrictEqual(known.input, input)) return known;
      throw new AwsError('ExecutionAlreadyExists', `Execution Already Exists: '${arn}'`);
    }
    const execution: Execution = { arn, name, machineArn, input, startedAt: Date.now(), status: 'RUNNING' };
    this.#executions.set(arn, execution);
    const run = machine.run(arn, name, input);
    this.#runs.set(arn, run);
    run.result.then(
      (output) => this.#end(execution, { status: 'SUCCEEDED', output }),
      (thrown: unknown) => {
        const failure = asError(causeOf(thrown));
        this.#end(execution, { status: 'FAILED', error: failure.name, cause: failure.message });
        if (execution.status === 'FAILED') this.#onFailure(execution);
      },
    );
    return execution;
  }

  get(arn: string): Execution {
    const execution = this.#executions.get(arn);
    if (execution === undefined)
      throw new AwsError('ExecutionDoesNotExist', `Execution Does Not Exist: '${arn}'`);
    return execution;
  }

  /** Newest first. */
  list(): Execution[] {
    return [...this.#executions.values()].reverse();
  }

  stop(arn: string, error: string | undefined, cause: string | undefined): Execution {
    const execution = this.get(arn);
    if (execution.status !== 'RUNNING') return execution;
    const run = this.#runs.get(arn);
    this.#end(execution, {
      status: 'ABORTED',
      ...(error === undefined ? {} : { error }),
      ...(cause === undefined ? {} : { cause }),
    });
    run?.abort();
    this.tokens.abandon(arn);
    return execution;
  }

  stopAll(): void {
    for (const execution of this.#executions.values()) this.stop(execution.arn, undefined, 'the host stops');
  }

  #end(execution: Execution, end: Pick<Execution, 'status'> & Partial<Execution>): void {
    if (execution.status !== 'RUNNING') return;
    Object.assign(execution, end, { endedAt: Date.now() });
    this.#runs.delete(execution.arn);
    if (this.#executions.size <= ENDED_MAX) return;
    for (const [arn, { status }] of this.#executions)
      if (status !== 'RUNNING') {
        this.#executions.delete(arn);
        return;
      }
  }
}

/** The library wraps the error that ended the execution. */
const causeOf = (thrown: unknown) =>
  thrown instanceof Error && thrown.cause !== undefined ? thrown.cause : thrown;
