import {
  ExecutionAlreadyExists,
  SendTaskFailureCommand,
  SendTaskSuccessCommand,
  type SFNClient,
  StartExecutionCommand,
  TaskTimedOut,
} from '@aws-sdk/client-sfn';
import type { LocalMachine } from '../../../infra/local/template/template.ts';
import { type Run, RunnableMachine } from '../../../infra/local/workflow/state-machine.ts';
import { TaskTokens } from '../../../infra/local/workflow/task-tokens.ts';
import { type ExecutionInput, type Executions, executionName } from '../../../lib/services/runtime.ts';
import { stateMachineExecutions } from '../../../lib/workflow/executions.ts';
import type { Streams } from './chance.ts';
import type { Faults } from './faults.ts';
import type { Answer } from './lambda.ts';
import type { Activity, Scheduler } from './scheduler.ts';

/** The state machine's own pause before try n of a task: full jitter on 1, 2, 4 … 10 s, as its Retry says. */
const RETRY_MAX_MS = 10_000;
const OLD_TASK_AFTER_MS = 5_000;
const REDRIVE_AFTER_MS = 3_000;
/** An execution that dies before its first task does so within this time; until then others join it. */
const DIES_WITHIN_MS = 2_000;
const SAID = { message: 'simulated', $metadata: {} };
/** As the SDK throws it once its own tries are over. */
const fault = (name: string): Error => Object.assign(new Error('simulated'), { name });
/** What comes of a task of an execution that is gone. */
const NEVER = new Promise<Answer>(() => {});

export interface MachineDeps {
  readonly scheduler: Scheduler;
  readonly faults: Faults;
  readonly streams: Streams;
  readonly machine: LocalMachine;
  readonly invoke: (payload: unknown) => Promise<Answer>;
}

interface Execution {
  readonly name: string;
  readonly input: ExecutionInput;
  readonly activity: Activity;
  running: boolean;
  redriven: boolean;
  tries: number;
}

/** Executions of the synthesized machine in virtual time. */
export class SimulatedMachine {
  readonly executions = new Map<string, Execution>();
  readonly #deps: MachineDeps;
  /** Whoever drove them is gone: nothing more comes of them. */
  readonly #gone = new Set<Execution>();
  readonly #orphans = new Set<string>();
  /** Executions that wait, by token. */
  readonly #waits = new Map<string, string>();
  readonly #machine: RunnableMachine;
  readonly #tokens: TaskTokens;
  /** Of the execution whose task begins: the library does not say for whom it calls. */
  #tokenCount = 0;

  constructor(deps: MachineDeps) {
    this.#deps = deps;
    this.#tokens = new TaskTokens({
      after: (arn, ms, run) => this.#wait(arn.replace('arn:', ''), ms, run),
      newToken: () => {
        this.#tokenCount += 1;
        return `token-${this.#tokenCount}`;
      },
    });
    this.#machine = new RunnableMachine(deps.machine, (_arn, payload) => this.#task(payload), this.#tokens, {
      retriesAtOnce: true,
    });
  }

  /** Executions that something may still come of soon. */
  get active(): number {
    return [...this.executions.values()].filter(({ running, name }) => running && !this.#orphans.has(name))
      .length;
  }

  /**
   * Their recoveries were lost. One that waits for an answer has a token that nobody knows any longer: it ends when its
   * wait does, for an approval in an hour, and then finds nothing to do.
   */
  orphan(isKnown: (name: string) => boolean): void {
    for (const { name, running } of this.executions.values())
      if (running && !isKnown(name)) this.#orphans.add(name);
  }

  /** Nothing of what runs goes on: who drove it is gone. */
  abandonAll(): void {
    for (const execution of this.executions.values()) {
      if (!execution.running) continue;
      this.#gone.add(execution);
      execution.running = false;
      this.#deps.scheduler.end(execution.activity);
    }
  }

  /** What functions see of it: the shipped adapter, before a client that waits for its turn. */
  executionsFor(activity: () => Activity): Executions {
    const { scheduler } = this.#deps;
    const call = <T>(label: string, perform: () => T): Promise<T> =>
      scheduler.park(activity(), `${activity().label}: ${label}`, perform);
    const send = (command: object): Promise<unknown> => {
      if (command instanceof StartExecutionCommand) {
        const input: ExecutionInput = JSON.parse(command.input.input ?? '');
        return call(`StartExecution ${executionName(input)}`, () => this.#start(input));
      }
      if (command instanceof SendTaskSuccessCommand) {
        const { taskToken: token = '' } = command.input;
        return call(`SendTaskSuccess ${token}`, () =>
          this.#answer(token, () => this.#tokens.succeed(token, {})),
        );
      }
      if (!(command instanceof SendTaskFailureCommand)) throw new Error('a command that is not simulated');
      const { taskToken: token = '', error = '', cause = '' } = command.input;
      return call(`SendTaskFailure ${token}`, () =>
        this.#answer(token, () => this.#tokens.fail(token, error, cause)),
      );
    };
    return stateMachineExecutions({ send } as unknown as SFNClient, this.#deps.machine.arn);
  }

  /** The execution rests while its task waits for an answer. */
  #wait(name: string, ms: number, run: () => void): () => void {
    const execution = this.executions.get(name);
    if (execution === undefined) throw new Error('a wait of no execution');
    // Its token was made the moment before.
    this.#waits.set(`token-${this.#tokenCount}`, name);
    const { activity } = execution;
    activity.parked += 1;
    const callOff = this.#deps.scheduler.after(ms, `wait of ${name} is over`, run);
    return () => {
      activity.parked -= 1;
      callOff();
    };
  }

  #answer(token: string, send: () => void): void {
    const fails = this.#deps.faults.strikes('answerFails');
    if (fails && this.#deps.streams('answer fails').happens(0.5)) {
      // Whoever takes its recovery over does not end it: it ends when its wait does, and then finds nothing to do.
      this.#orphans.add(this.#waits.get(token) ?? '');
      throw fault('ThrottlingException');
    }
    if (this.#tokens.stateOf(token) !== 'waiting') throw new TaskTimedOut(SAID);
    send();
    if (fails) throw fault('TimeoutError');
  }

  #start(input: ExecutionInput): void {
    if (this.#deps.faults.strikes('startFails')) throw fault('ThrottlingException');
    const name = executionName(input);
    const known = this.executions.get(name);
    if (known?.running === true) return;
    if (known !== undefined) throw new ExecutionAlreadyExists(SAID);
    const activity = this.#deps.scheduler.begin(`execution ${name}`);
    const execution: Execution = { name, input, activity, running: true, redriven: false, tries: 0 };
    this.executions.set(name, execution);
    if (this.#deps.faults.strikes('executionDies')) this.#dieSoon(execution);
    else this.#drive(execution);
    if (this.#deps.faults.strikes('startUnknown')) throw fault('TimeoutError');
  }

  /** It was begun, and ends before its first task: all that is left of it is its name. */
  #dieSoon(execution: Execution): void {
    const { scheduler, streams } = this.#deps;
    execution.activity.parked += 1;
    const ms = streams('execution dies').below(DIES_WITHIN_MS);
    scheduler.after(ms, `end of ${execution.name}`, () =>
      this.#ended(execution, 'dies before its first task'),
    );
  }

  #ended(execution: Execution, how: string): void {
    const { scheduler, faults } = this.#deps;
    if (this.#gone.has(execution)) return;
    execution.running = false;
    scheduler.end(execution.activity);
    scheduler.note(`  execution ${execution.name} ${how}`);
    if (execution.redriven || !faults.strikes('redrive')) return;
    execution.redriven = true;
    scheduler.after(REDRIVE_AFTER_MS, `redrive ${execution.name}`, () => {
      const again = {
        ...execution,
        activity: scheduler.begin(`execution ${execution.name} again`),
        running: true,
      };
      this.executions.set(execution.name, again);
      this.#drive(again);
    });
  }

  #drive(execution: Execution): void {
    const run: Run = this.#machine.run(`arn:${execution.name}`, execution.name, execution.input);
    run.result.then(
      () => this.#ended(execution, 'succeeded'),
      (error: unknown) => this.#ended(execution, `failed: ${String(error).slice(0, 120)}`),
    );
  }

  async #task(payload: unknown): Promise<Answer> {
    const { scheduler, faults, streams } = this.#deps;
    const { input, phase } = payload as { input: ExecutionInput; phase: string };
    const execution = this.executions.get(executionName(input));
    if (execution === undefined) throw new Error('a task of no execution');
    if (this.#gone.has(execution)) return NEVER;
    const { activity } = execution;
    activity.parked += 1;
    if (execution.tries > 0) {
      const delayMs = streams('retry').uniform() * Math.min(RETRY_MAX_MS, 1_000 * 2 ** (execution.tries - 1));
      await new Promise<void>((resolve) => {
        scheduler.after(Math.max(1, delayMs), `retry ${phase} of ${execution.name}`, () => resolve());
      });
    }
    const twice = faults.strikes('taskTwice');
    const runs = (twice ? [payload, payload] : [payload]).map((each) => this.#deps.invoke(each));
    const answer = await Promise.race(runs);
    if (this.#gone.has(execution)) return NEVER;
    execution.tries = answer.ok ? 0 : execution.tries + 1;
    if (faults.strikes('duplicateTask'))
      scheduler.after(
        streams('old task').happens(0.5) ? 0 : streams('old task').uniform() * OLD_TASK_AFTER_MS,
        `replay ${phase} of ${execution.name}`,
        () => {
          void this.#deps.invoke(payload);
        },
      );
    activity.parked -= 1;
    return answer;
  }
}
