import type * as z from 'zod';
import { entityOf, headOf, nextEvent } from '../../audit/event.ts';
import { changing, ProblemError } from '../../errors.ts';
import { isOver, mayBecome, onApproval } from '../../failover/plan-run.ts';
import {
  type PlanAnswerInput,
  type PlanQuote,
  type PlanRun,
  type PlanRunInput,
  takesOut,
} from '../../schemas/recovery-plan.ts';
import {
  lastRuns,
  type RecoveryPlanRecord,
  readRun,
  runWrites,
} from '../../store/recovery/recovery-plans.ts';
import { originOf, type Requester } from '../origin.ts';
import { untilWon } from '../retry.ts';
import type { Runtime } from '../runtime.ts';
import { getPlan } from './plans.ts';
import { begunOf } from './step-targets.ts';
import { quotePlan } from './targets.ts';

/** Runs that are listed. */
const RUNS_SHOWN = 20;

/** Raises not-found. */
export const getRun = async ({ store }: Runtime, plan: string, id: string): Promise<PlanRun> => {
  const run = await readRun(store, plan, id);
  if (run === undefined) throw new ProblemError('not-found', `recovery plan ${plan} has no run ${id}`);
  return run;
};

export const listRuns = async (runtime: Runtime, plan: string): Promise<PlanRun[]> => {
  await getPlan(runtime, plan);
  return [...(await lastRuns(runtime.store, plan, RUNS_SHOWN))];
};

/**
 * Writes what a run becomes, the plan's audit chain with it; the run as written, or undefined: somebody was faster, and
 * nothing has changed.
 */
export const changeRun = async (
  runtime: Runtime,
  before: PlanRun,
  change: Partial<PlanRun>,
  about: { readonly type: string; readonly body?: Readonly<Record<string, unknown>> },
  requester: Requester,
): Promise<PlanRun | undefined> => {
  const status = change.status ?? before.status;
  if (status !== before.status && !mayBecome(before.status, status))
    throw new Error(`a run that is ${before.status} cannot become ${status}`);
  const plan = await getPlan(runtime, before.plan);
  const origin = originOf(requester, runtime.clock);
  const over = isOver(status);
  const after: PlanRun = {
    ...before,
    ...change,
    rev: before.rev + 1,
    since: status === before.status ? before.since : origin.at,
    ...(over ? { endedAt: origin.at } : {}),
  };
  const body = { run: before.id, step: after.step, status, ...about.body };
  const event = nextEvent(entityOf.plan(plan.id), plan.chain, origin, about.type, body);
  const next = { ...plan, chain: headOf(event), run: over ? undefined : plan.run };
  const writes = runWrites(runtime.store, { before: plan, after: next }, { before, after }, event);
  const outcome = await runtime.store.transact(writes);
  return outcome.kind === 'done' ? after : undefined;
};

const refuseIfRunning = (plan: RecoveryPlanRecord): void => {
  if (plan.run !== undefined)
    throw new ProblemError(
      'not-in-this-state',
      `run ${plan.run} of plan ${plan.id} is not over: wait for its end, or cancel it`,
    );
};

/**
 * Begins a run, which whoever drives it takes further; with `dryRun` only tells what it would do. Raises not-found,
 * not-in-this-state (another run is not over), conflict (it would not do what was quoted).
 */
export const beginRun = async (
  runtime: Runtime,
  planId: string,
  { reason, dryRun, quote }: z.output<typeof PlanRunInput>,
  requester: Requester,
): Promise<{ readonly quote: PlanQuote } | { readonly run: PlanRun }> => {
  const plan = await getPlan(runtime, planId);
  if (!dryRun) refuseIfRunning(plan);
  if (dryRun || quote !== undefined) {
    const now = await quotePlan(runtime, plan);
    if (dryRun) return { quote: now };
    if (now.hash !== quote)
      throw new ProblemError('conflict', 'the plan would do something else by now: ask for a quote again');
  }
  const [first] = plan.steps;
  const origin = originOf(requester, runtime.clock);
  const run: PlanRun = {
    ...{ id: runtime.chance.id(), plan: plan.id, cfg: plan.cfg, steps: [...plan.steps] },
    ...{ status: 'pausing', step: 0, rev: 1, since: origin.at, dueAt: origin.at + (first?.pauseMs ?? 0) },
    ...{ reason, startedBy: requester.actor, startedAt: origin.at, progress: [] },
  };
  const body = { run: run.id, cfg: plan.cfg, reason };
  const event = nextEvent(entityOf.plan(plan.id), plan.chain, origin, 'plan.run-started', body);
  const after = { ...plan, chain: headOf(event), run: run.id };
  const writes = runWrites(runtime.store, { before: plan, after }, { before: undefined, after: run }, event);
  const outcome = await runtime.store.transact(writes);
  if (outcome.kind === 'done') return { run };
  refuseIfRunning(await getPlan(runtime, planId));
  throw changing(`run ${run.id}`);
};

/** A person's word to what a run asks. Raises not-found, not-in-this-state, unavailable. */
export const answerRun = async (
  runtime: Runtime,
  { plan, id }: { readonly plan: string; readonly id: string },
  { decision, reason }: z.output<typeof PlanAnswerInput>,
  requester: Requester,
): Promise<PlanRun> =>
  untilWon(runtime, `run ${id}`, async () => {
    const run = await getRun(runtime, plan, id);
    if (run.status !== 'asking')
      throw new ProblemError('not-in-this-state', `run ${id} is ${run.status}: it asks nothing`);
    const yes = decision === 'approve';
    const change = yes
      ? onApproval(run, runtime.clock.now())
      : { status: 'cancelled' as const, asks: undefined, cancel: `${requester.actor}: ${reason}` };
    const type = yes ? 'plan.run-approved' : 'plan.run-rejected';
    return changeRun(runtime, run, change, { type, body: { reason } }, requester);
  });

/** What a run becomes that ends now. A step that was about to begin is over; what of it has begun goes on. */
export const callOff = async (runtime: Runtime, run: PlanRun): Promise<Partial<PlanRun>> => {
  const change = { status: 'cancelled', asks: undefined } as const;
  const now = run.progress[run.step];
  if (run.status !== 'starting' || now === undefined) return change;
  const isTakenOut = takesOut(run.steps[run.step]?.how ?? 'fail');
  const recoveries = isTakenOut ? await begunOf(runtime, now.targets) : [];
  const ended = { ...now, recoveries, endedAt: runtime.clock.now(), outcome: 'incomplete' } as const;
  return { ...change, progress: run.progress.with(run.step, ended) };
};

/**
 * Calls a run off: it ends before its next step, or at once where no step is under way; recoveries that run go on. Raises
 * not-found, not-in-this-state.
 */
export const cancelRun = async (
  runtime: Runtime,
  { plan, id }: { readonly plan: string; readonly id: string },
  reason: string,
  requester: Requester,
): Promise<PlanRun> =>
  untilWon(runtime, `run ${id}`, async () => {
    const run = await getRun(runtime, plan, id);
    if (isOver(run.status)) throw new ProblemError('not-in-this-state', `run ${id} is ${run.status}`);
    const cancel = `${requester.actor}: ${reason}`;
    const about = { type: 'plan.run-cancelled', body: { reason } };
    // Recoveries of a step are seen to their end.
    const change = run.status === 'recovering' ? {} : await callOff(runtime, run);
    return changeRun(runtime, run, { ...change, cancel }, about, requester);
  });
