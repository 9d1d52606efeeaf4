import { Logger } from '@aws-lambda-powertools/logger';
import { Metrics } from '@aws-lambda-powertools/metrics';
import middy, { type MiddlewareObj } from '@middy/core';
import type { Context } from 'aws-lambda';
import * as z from 'zod';
import type { Clock } from '../clock.ts';
import { Id } from '../schemas/common.ts';
import { PhaseResult, Trigger } from '../schemas/recovery.ts';
import { refuseNewerTask } from './task-version.ts';

/** What the state machine passes on from its own input; see docs/architecture.md. */
const RecoveryTaskInput = z.object({
  resource: Id,
  epoch: z.int().min(0),
  attempt: z.int().min(0),
  trigger: Trigger,
});
export type RecoveryTaskInput = z.infer<typeof RecoveryTaskInput>;

/** Read before all else: a newer version may have any other shape. */
const Version = z.int().optional().catch(undefined);
const Versions = z.object({ v: Version, input: z.object({ v: Version }).optional().catch(undefined) });

const TaskEvent = z.object({
  phase: z.string().min(1).max(80),
  input: RecoveryTaskInput,
  /** Only in states that wait; whoever hears the answer completes the state with it. */
  taskToken: z.string().min(1).max(2048).optional(),
  /** The answer of the phase before: a phase knows its own duration only after it stored its result. */
  last: z.object({ carry: z.array(PhaseResult).optional() }).optional(),
});

export type Task = z.infer<typeof TaskEvent> & {
  /** Carries phase, resource, epoch and attempt. Made on first use: most phases say nothing of their own. */
  readonly log: Logger;
};

export interface TaskAnswer {
  /** Name of the state to go to. */
  readonly proceed: string;
  /** For a state that waits before it goes on, seconds. */
  readonly waitSeconds?: number;
  readonly carry?: readonly PhaseResult[];
}

export type Phases = Readonly<Record<string, (task: Task) => Promise<TaskAnswer>>>;

export interface TaskDeps {
  readonly clock: Clock;
}

/** Step Functions matches on names, so a broken event has one of its own: no retry can mend it. */
export class InvalidTask extends Error {
  override readonly name = 'InvalidTask';
}

export type TaskHandler = (event: unknown, context: Context) => Promise<TaskAnswer>;

const NAMESPACE = 'Labscape';
/** CloudWatch StorageResolution in seconds. */
const HIGH_RESOLUTION = 1;

/** One task on its way through the chain. */
interface Errand {
  readonly event: unknown;
  readonly startedMs: number;
  task?: Task;
}

type Run = Parameters<NonNullable<MiddlewareObj<Errand, TaskAnswer>['after']>>[0];

function parseTask(event: unknown, log: Logger): Task {
  const versions = Versions.safeParse(event).data;
  refuseNewerTask('the task', versions?.v);
  refuseNewerTask("the execution's input", versions?.input?.v);
  const parsed = TaskEvent.safeParse(event);
  if (!parsed.success) throw new InvalidTask(z.prettifyError(parsed.error));
  const { phase, input } = parsed.data;
  let child: Logger | undefined;
  return {
    ...parsed.data,
    get log() {
      child ??= log.createChild({ persistentKeys: { phase, ...input } });
      return child;
    },
  };
}

function taskMetrics(): Metrics {
  const metrics = new Metrics({ namespace: NAMESPACE, serviceName: 'recovery' });
  // Powertools always adds a `service` dimension, which would double what dashboards must name.
  metrics.clearDefaultDimensions();
  return metrics;
}

const errorNameOf = (error: unknown) => (error instanceof Error ? error.name : 'Unknown');

function recordRuns(log: Logger, clock: Clock): MiddlewareObj<Errand, TaskAnswer> {
  const metrics = taskMetrics();

  function finish(run: Run, failure: string | undefined): void {
    const { startedMs, task } = run.event;
    const ms = Math.round((clock.monotonicMs() - startedMs) * 1000) / 1000;
    const phase = task?.phase ?? 'none';
    const line = {
      phase,
      ...task?.input,
      ms,
      proceed: run.response?.proceed,
      waitSeconds: run.response?.waitSeconds,
    };
    if (failure === undefined) log.info('task', line);
    else log.error('task', { ...line, failure, error: run.error ?? undefined });
    // Written in one go, so that tasks that overlap in one process cannot mix.
    metrics.addDimensions({ function: 'recovery', phase });
    metrics.addMetric('PhaseMs', 'Milliseconds', ms, HIGH_RESOLUTION);
    if (failure !== undefined) metrics.addMetric('PhaseFailures', 'Count', 1);
    metrics.publishStoredMetrics();
  }

  return {
    after: (run) => finish(run, undefined),
    // Leaves the response unset: middy then throws the error on as it is, name and all.
    onError: (run) => finish(run, errorNameOf(run.error)),
  };
}

/** The chain every state-machine task runs in: parse, find the phase, record, keep the names of errors. */
export function taskHandler(phases: Phases, deps: TaskDeps): TaskHandler {
  const log = new Logger({ serviceName: 'recovery' });
  const known = new Map(Object.entries(phases));

  async function perform(errand: Errand): Promise<TaskAnswer> {
    const task = parseTask(errand.event, log);
    errand.task = task;
    const phase = known.get(task.phase);
    if (phase === undefined) throw new InvalidTask(`there is no phase ${task.phase}`);
    return phase(task);
  }

  const chain = middy<Errand, TaskAnswer>(perform).use(recordRuns(log, deps.clock));
  return (event, context) => chain({ event, startedMs: deps.clock.monotonicMs() }, context);
}
