import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import {
  Choice,
  Condition,
  DefinitionBody,
  Fail,
  type INextable,
  IntegrationPattern,
  type IStateMachine,
  JitterType,
  JsonPath,
  LogLevel,
  Pass,
  type State,
  StateMachine,
  StateMachineType,
  Succeed,
  TaskInput,
  Timeout,
} from 'aws-cdk-lib/aws-stepfunctions';
import { LambdaInvoke } from 'aws-cdk-lib/aws-stepfunctions-tasks';
import { Construct } from 'constructs';
import { TASK_VERSION } from '../../lib/workflow/task-version.ts';
import type { StageConfig } from '../config.ts';
import { ORDER, PHASES, type Phase, TRANSIENT, WAITS, type Wait } from './recovery-states.ts';

/** Longer than the function may take, so that its own timeout is the error that is seen. */
const TASK_TIMEOUT_S = 35;

/** What every task is told: the execution's input, and the answer of the phase before (`{}` at first). */
const CARRIED = { v: TASK_VERSION, input: JsonPath.objectAt('$.input'), last: JsonPath.objectAt('$.last') };

export interface RecoveryMachineProps {
  readonly config: StageConfig;
  readonly stateMachineName: string;
  /** The recovery function: serves every phase. */
  readonly handler: IFunction;
}

/**
 * The recovery of one resource. State data is `{input, last, error?}`: the execution's input as it came, the answer
 * of the last phase, and what the last caught error was.
 */
export class RecoveryMachine extends Construct {
  readonly machine: IStateMachine;
  readonly #handler: IFunction;
  readonly #states = new Map<string, State>();

  constructor(scope: Construct, id: string, props: RecoveryMachineProps) {
    super(scope, id);
    this.#handler = props.handler;
    const begin = new Pass(this, 'Begin', { parameters: { input: JsonPath.objectAt('$'), last: {} } });
    this.#addEnds();
    const phases = PHASES.map((phase) => ({ phase, task: this.#addPhase(phase.name) }));
    const waits = WAITS.map((wait) => ({ wait, task: this.#addWait(wait.name) }));
    for (const { phase, task } of phases) this.#connectPhase(phase, task);
    for (const { wait, task } of waits) this.#connectWait(wait, task);

    const disposable = props.config.disposable;
    this.machine = new StateMachine(this, 'Machine', {
      stateMachineName: props.stateMachineName,
      stateMachineType: StateMachineType.STANDARD,
      definitionBody: DefinitionBody.fromChainable(begin.next(this.#state('Detect'))),
      logs: {
        // Inputs and answers name allocations and tenants: the audit table is their place, not a log.
        includeExecutionData: false,
        level: LogLevel.ALL,
        destination: new LogGroup(this, 'Log', {
          logGroupName: `/aws/vendedlogs/states/${props.stateMachineName}`,
          retention: props.config.logRetentionDays,
          removalPolicy: disposable ? RemovalPolicy.DESTROY : RemovalPolicy.RETAIN,
        }),
      },
    });
  }

  #addEnds(): void {
    this.#states.set('End', new Succeed(this, 'Ended'));
    this.#states.set('SupersededByNewer', new Succeed(this, 'SupersededByNewer'));
    for (const [name, cause] of [
      ['UnknownProceed', 'a phase answered with a state that does not follow it'],
      ['ParkFailed', 'the recovery could not even be parked: the reconciler takes it over'],
    ] as const)
      this.#states.set(name, new Fail(this, name, { error: name, cause }));
  }

  #addPhase(name: string): LambdaInvoke {
    const task = new LambdaInvoke(this, name, {
      stateName: name,
      lambdaFunction: this.#handler,
      payload: TaskInput.fromObject({
        phase: name,
        ...CARRIED,
      }),
      payloadResponseOnly: true,
      resultPath: '$.last',
      retryOnServiceExceptions: false,
      taskTimeout: Timeout.duration(Duration.seconds(TASK_TIMEOUT_S)),
    });
    return this.#register(name, task, ['States.Timeout']);
  }

  #addWait(name: string): LambdaInvoke {
    const task = new LambdaInvoke(this, name, {
      stateName: name,
      lambdaFunction: this.#handler,
      integrationPattern: IntegrationPattern.WAIT_FOR_TASK_TOKEN,
      payload: TaskInput.fromObject({
        phase: name,
        ...CARRIED,
        taskToken: JsonPath.taskToken,
      }),
      resultPath: JsonPath.DISCARD,
      retryOnServiceExceptions: false,
      taskTimeout: Timeout.at('$.last.waitSeconds'),
    });
    // A wait that times out has waited long enough: it goes on, see WAITS.
    return this.#register(name, task, []);
  }

  #register(name: string, task: LambdaInvoke, alsoTransient: readonly string[]): LambdaInvoke {
    task.addRetry({
      errors: [...TRANSIENT, ...alsoTransient],
      interval: Duration.seconds(1),
      backoffRate: 2,
      maxAttempts: 6,
      maxDelay: Duration.seconds(10),
      jitterStrategy: JitterType.FULL,
    });
    this.#states.set(name, task);
    return task;
  }

  #connectPhase(phase: Phase, task: LambdaInvoke): void {
    this.#catch(task, ['Superseded'], 'SupersededByNewer');
    this.#catch(task, ['States.ALL'], phase.onError);
    if (phase.next !== 'as-answered') {
      task.next(this.#state(phase.next));
      return;
    }
    const proceed = '$.last.proceed';
    const choice = new Choice(this, `${phase.name}Next`);
    // Reading a path that is absent ends the execution with an error that nothing can catch.
    // Not `IsPresent: false`, which the local ASL library takes for never.
    choice.when(Condition.not(Condition.isPresent(proceed)), this.#state('UnknownProceed'));
    const order: readonly string[] = ORDER;
    for (const name of order.slice(order.indexOf(phase.name) + 1))
      choice.when(Condition.stringEquals(proceed, name), this.#state(name));
    task.next(choice.otherwise(this.#state('UnknownProceed')));
  }

  #connectWait(wait: Wait, task: LambdaInvoke): void {
    this.#catch(task, ['Superseded'], 'SupersededByNewer');
    if (wait.onRejected !== undefined) this.#catch(task, ['Rejected'], wait.onRejected);
    this.#catch(task, ['States.Timeout'], wait.onTimeout);
    this.#catch(task, ['States.ALL'], wait.onError);
    task.next(this.#state(wait.next));
  }

  #catch(task: LambdaInvoke, errors: string[], next: string): void {
    task.addCatch(this.#state(next), { errors, resultPath: '$.error' });
  }

  #state(name: string): State & INextable {
    const state = this.#states.get(name);
    if (state === undefined) throw new Error(`recovery machine: no state ${name}`);
    return state as State & INextable;
  }
}
