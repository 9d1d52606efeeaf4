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
import type { StageConfig } from '../config.ts';

/** A phase is a few store calls; longer means that the function hangs. */
const TASK_TIMEOUT_S = 30;

/**
 * Errors after which the same call may succeed. A task may be killed at any point and repeated (invariant 6), hence
 * the crash and the timeout of a function are among them.
 */
const TRANSIENT = [
  'Throttled',
  'StoreUnavailable',
  'LostRace',
  'Lambda.ServiceException',
  'Lambda.AWSLambdaException',
  'Lambda.SdkClientException',
  'Lambda.TooManyRequestsException',
  'Lambda.ClientExecutionTimeoutException',
  'Lambda.Unknown',
  'Sandbox.Timedout',
  'Runtime.ExitError',
];

/** Where a task goes: straight on, or to the state its answer names. */
type Onward = { readonly next: string } | { readonly branch: readonly string[] };
interface Phase {
  readonly name: string;
  readonly onward: Onward;
  /** Where an error goes that nothing else handles. */
  readonly onError: 'Compensate' | 'Park' | 'ParkFailed';
}
interface Wait {
  readonly name: string;
  readonly next: string;
  readonly onTimeout: string;
  readonly onRejected?: string;
  readonly onError: 'Compensate' | 'Park';
}

/** A newer attempt that takes a recovery over goes on where the record stands. */
const RESUMABLE = [
  'AwaitApproval',
  'Initiate',
  'AwaitFence',
  'Failover',
  'Reassign',
  'Verify',
  'RestoreSystem',
  'AwaitRestore',
  'RecoverData',
  'ResumeService',
  'AwaitRunning',
  'RestorePerformance',
  'ValidateCompletely',
  'Close',
];

/** The machine as a table. Before the flip an error unfences (Compensate); after it nothing is flipped back (Park). */
const PHASES: readonly Phase[] = [
  { name: 'Detect', onward: { branch: ['Decide', 'End', ...RESUMABLE] }, onError: 'Compensate' },
  { name: 'Decide', onward: { branch: ['Initiate', 'AwaitApproval', 'End'] }, onError: 'Compensate' },
  { name: 'Initiate', onward: { branch: ['Failover', 'AwaitFence', 'End'] }, onError: 'Compensate' },
  { name: 'Failover', onward: { next: 'Reassign' }, onError: 'Compensate' },
  { name: 'Reassign', onward: { next: 'Verify' }, onError: 'Park' },
  { name: 'Verify', onward: { next: 'RestoreSystem' }, onError: 'Park' },
  { name: 'RestoreSystem', onward: { branch: ['RecoverData', 'AwaitRestore'] }, onError: 'Park' },
  { name: 'RecoverData', onward: { next: 'ResumeService' }, onError: 'Park' },
  { name: 'ResumeService', onward: { branch: ['RestorePerformance', 'AwaitRunning'] }, onError: 'Park' },
  { name: 'RestorePerformance', onward: { next: 'ValidateCompletely' }, onError: 'Park' },
  { name: 'ValidateCompletely', onward: { next: 'Close' }, onError: 'Park' },
  { name: 'Close', onward: { next: 'End' }, onError: 'Park' },
  { name: 'Compensate', onward: { next: 'End' }, onError: 'Park' },
  { name: 'Park', onward: { next: 'End' }, onError: 'ParkFailed' },
];
const WAITS: readonly Wait[] = [
  {
    name: 'AwaitApproval',
    next: 'Initiate',
    onTimeout: 'Compensate',
    onRejected: 'Compensate',
    onError: 'Compensate',
  },
  { name: 'AwaitFence', next: 'Failover', onTimeout: 'Failover', onError: 'Compensate' },
  { name: 'AwaitRestore', next: 'RecoverData', onTimeout: 'RecoverData', onError: 'Park' },
  { name: 'AwaitRunning', next: 'RestorePerformance', onTimeout: 'RestorePerformance', onError: 'Park' },
];

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
        input: JsonPath.objectAt('$.input'),
        last: JsonPath.objectAt('$.last'),
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
        input: JsonPath.objectAt('$.input'),
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
    if ('next' in phase.onward) {
      task.next(this.#state(phase.onward.next));
      return;
    }
    const proceed = '$.last.proceed';
    const choice = new Choice(this, `${phase.name}Next`);
    // Reading a path that is absent ends the execution with an error that nothing can catch.
    choice.when(Condition.isNotPresent(proceed), this.#state('UnknownProceed'));
    for (const name of phase.onward.branch)
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
