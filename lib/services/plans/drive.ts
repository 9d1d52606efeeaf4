import { isDeepStrictEqual } from 'node:util';
import { ProblemError } from '../../errors.ts';
import {
  homeOutcome,
  isOver,
  nextMove,
  onStepEnd,
  stepOutcome,
  type TargetSeen,
} from '../../failover/plan-run.ts';
import { isEnded } from '../../failover/recovery-status.ts';
import {
  HOME_BUDGET_MS_DEFAULT,
  type PlanRun,
  type StepOutcome,
  type StepProgress,
  type StepTarget,
  takesOut,
} from '../../schemas/recovery-plan.ts';
import { readResource } from '../../store/fleet/resources.ts';
import { readRecovery } from '../../store/recovery/recoveries.ts';
import { allPlans } from '../../store/recovery/recovery-plans.ts';
import { type Requester, system } from '../origin.ts';
import { inLanes } from '../recovery/lanes.ts';
import type { Runtime } from '../runtime.ts';
import { takeHome } from './homeward.ts';
import { callOff, changeRun, getRun } from './runs.ts';
import { LANES, recoveryOf, untouchedOf } from './step-targets.ts';
import { CARRIED_OUT, STARTED_AS } from './steps.ts';
import { isAway, kindOf, targetsOf } from './targets.ts';

/** Moves of one run at one call: a step is four of them. */
const MOVES_MAX = 12;
/** No other run is driven after that, ms: a step may take three times as long, and a sweep has more to do. */
const DRIVE_MS_MAX = 5_000;
/** A recovery that has not begun so long after its step is none, ms: by then the reconciler has tried, too. */
const NEVER_BEGAN_MS = 600_000;

/** Writes down what the step is about, as it is now: whoever repeats the next move fails nothing twice. */
const begin = async (runtime: Runtime, run: PlanRun, requester: Requester): Promise<PlanRun | undefined> => {
  const step = run.steps[run.step];
  if (step === undefined) throw new Error(`run ${run.id} is at step ${run.step}, which it has not`);
  const targets = targetsOf(step, (await runtime.fleet.snapshot(0)).resources).map(
    ({ id, labscape, epoch, attempt, movedBy }): StepTarget => ({
      ...{ resource: id, labscape, epoch, attempt },
      ...(kindOf(step) === 'failback' && movedBy !== undefined ? { movedBy } : {}),
    }),
  );
  const startedAt = runtime.clock.now();
  const progress = [...run.progress, { startedAt, targets, recoveries: [] }];
  const about = { type: 'plan.step-started', body: { resources: targets.map(({ resource }) => resource) } };
  return changeRun(runtime, run, { status: 'starting', progress, dueAt: undefined }, about, requester);
};

/** Does what the step says to those that stand as they were written down; the others have moved on by themselves, or by it. */
const start = async (runtime: Runtime, run: PlanRun, requester: Requester): Promise<PlanRun | undefined> => {
  const [now, step] = [run.progress[run.step], run.steps[run.step]];
  if (now === undefined || step === undefined)
    throw new Error(`run ${run.id} is starting, and its targets are not written`);
  const seen = await untouchedOf(runtime, now.targets);
  const all = now.targets.map(({ resource }) => resource);
  const reason = `plan ${run.plan}: ${run.reason}`.slice(0, 500);
  const { left } = await CARRIED_OUT[kindOf(step)](runtime, seen, { step, all, reason }, requester);
  // The next look goes on with what there was no time for.
  if (left > 0) return undefined;
  const recoveries = takesOut(kindOf(step)) ? now.targets.map(recoveryOf) : [];
  const progress = run.progress.with(run.step, { ...now, recoveries });
  const type = `plan.step-${STARTED_AS[kindOf(step)]}`;
  return changeRun(runtime, run, { status: 'recovering', progress }, { type }, requester);
};

/** What has become of a target: by its recovery's record, or by the resource where an attempt of another name ended it. */
const seenOf = async (runtime: Runtime, target: StepTarget, sinceMs: number): Promise<TargetSeen> => {
  const resource = await readResource(runtime.store, target.labscape, target.resource);
  const recovery = await readRecovery(runtime.store, resource?.recovery ?? recoveryOf(target));
  // A parked one waits for a person, and so does the run.
  if (recovery !== undefined && (isEnded(recovery.status) || recovery.status === 'parked'))
    return { kind: 'ended', status: recovery.status };
  if (recovery !== undefined) return { kind: 'running' };
  if (resource === undefined) return { kind: 'ended', status: 'refused' };
  if (resource.recovery === undefined && resource.epoch > target.epoch)
    return { kind: 'ended', status: 'done' };
  return sinceMs > NEVER_BEGAN_MS ? { kind: 'ended', status: 'refused' } : { kind: 'running' };
};

/** Whether a target is in service, or was and something else has come up since. */
const backSeenOf = async (runtime: Runtime, target: StepTarget): Promise<TargetSeen> => {
  const resource = await readResource(runtime.store, target.labscape, target.resource);
  const away = resource === undefined || isAway(resource);
  return { kind: 'ended', status: away ? 'refused' : 'done' };
};

/** Takes home what may go now, and writes down how it stands: the step ends when nothing is left, or by its budget. */
const lookHome = async (
  runtime: Runtime,
  run: PlanRun,
  now: StepProgress,
  requester: Requester,
): Promise<PlanRun | undefined> => {
  const homes = run.cancel === undefined ? await takeHome(runtime, run, now, requester) : (now.homes ?? []);
  const at = runtime.clock.now();
  const { budgetMs = HOME_BUDGET_MS_DEFAULT } = run.steps[run.step] ?? {};
  const isOut = run.cancel !== undefined || at - now.startedAt >= budgetMs;
  const outcome = homeOutcome(now.targets.length, homes, isOut);
  if (outcome !== undefined) return endStep(runtime, run, { ...now, homes, endedAt: at, outcome }, requester);
  if (!isDeepStrictEqual(homes, now.homes)) {
    const progress = run.progress.with(run.step, { ...now, homes });
    await changeRun(runtime, run, { progress }, { type: 'plan.step-looked-at' }, requester);
  }
  // What could go has gone: the next look is another call's.
  return undefined;
};

const endStep = (
  runtime: Runtime,
  run: PlanRun,
  ended: StepProgress & { readonly endedAt: number; readonly outcome: StepOutcome },
  requester: Requester,
): Promise<PlanRun | undefined> => {
  const { outcome, endedAt } = ended;
  const progress = run.progress.with(run.step, ended);
  const change = { ...onStepEnd({ ...run, progress }, outcome, endedAt), progress };
  return changeRun(runtime, run, change, { type: 'plan.step-ended', body: { outcome } }, requester);
};

const look = async (runtime: Runtime, run: PlanRun, requester: Requester): Promise<PlanRun | undefined> => {
  const now = run.progress[run.step];
  if (now === undefined) throw new Error(`run ${run.id} recovers, and its targets are not written`);
  if (run.steps[run.step]?.how === 'failback') return lookHome(runtime, run, now, requester);
  const at = runtime.clock.now();
  const isBack = run.steps[run.step]?.how === 'activate';
  const seen = await inLanes(now.targets, LANES, (target) =>
    isBack ? backSeenOf(runtime, target) : seenOf(runtime, target, at - now.startedAt),
  );
  const outcome = stepOutcome(seen);
  if (outcome === undefined) return undefined;
  return endStep(runtime, run, { ...now, endedAt: at, outcome }, requester);
};

const moveOn = async (runtime: Runtime, run: PlanRun, requester: Requester): Promise<PlanRun | undefined> => {
  const move = nextMove(run, runtime.clock.now());
  switch (move.kind) {
    case 'begin':
      return begin(runtime, run, requester);
    case 'start':
      return start(runtime, run, requester);
    case 'look':
      return look(runtime, run, requester);
    case 'ask': {
      const change = { status: 'asking', asks: move.asks, dueAt: undefined } as const;
      return changeRun(runtime, run, change, { type: 'plan.run-asks' }, requester);
    }
    case 'cancel':
      return changeRun(runtime, run, await callOff(runtime, run), { type: 'plan.run-ended' }, requester);
    default:
      return undefined;
  }
};

/**
 * Takes a run as far as it goes now, one conditional write a move: whoever is killed on the way, the next one goes on.
 * The run as it is then. Raises not-found.
 */
export const driveRun = async (
  runtime: Runtime,
  { plan, id }: { readonly plan: string; readonly id: string },
  requester: Requester,
): Promise<PlanRun> => {
  let run = await getRun(runtime, plan, id);
  for (let moves = 0; moves < MOVES_MAX && !isOver(run.status); moves += 1) {
    const after = await moveOn(runtime, run, requester);
    if (after === undefined) return getRun(runtime, plan, id);
    run = after;
  }
  return run;
};

/**
 * Drives runs that are not over, as many as there is time for; how many have ended. One that cannot go on now does not hold
 * the others up.
 */
export const drivePlans = async (runtime: Runtime, request: string): Promise<number> => {
  let ended = 0;
  const untilMs = runtime.clock.monotonicMs() + DRIVE_MS_MAX;
  for (const { id: plan, run } of await allPlans(runtime.store)) {
    if (run === undefined) continue;
    if (runtime.clock.monotonicMs() >= untilMs) break;
    try {
      const after = await driveRun(runtime, { plan, id: run }, system('plans', request));
      ended += Number(isOver(after.status));
    } catch (error) {
      if (!(error instanceof ProblemError)) throw error;
    }
  }
  return ended;
};
