import { ProblemError } from '../../errors.ts';
import { movesWithin } from '../../optimisation/move-window.ts';
import {
  type GoalName,
  type RebalanceAnswer,
  type RebalanceInput,
  TIDY_GROUPS,
} from '../../schemas/rebalance.ts';
import type { LabscapeRecord } from '../../store/fleet/labscapes.ts';
import { type MoveLog, readMoveLogs } from '../../store/placement/move-logs.ts';
import type { Requester } from '../origin.ts';
import type { Runtime } from '../runtime.ts';
import { wakeFor } from '../waiting/pending-queue.ts';
import { carryOut, type Outcome } from './rebalance-moves.ts';
import { measureWith, planStep, type StepInput, type StepMove, type StepPlan } from './rebalance-plan.ts';
import { goalOf, readMovable } from './rebalance-view.ts';
import { tidyGroups } from './tidy.ts';

/** Raises not-found: a labscape that has not joined. */
const chosen = (
  all: ReadonlyMap<string, LabscapeRecord>,
  named: readonly string[] | undefined,
): readonly LabscapeRecord[] =>
  [...new Set(named ?? all.keys())].sort().map((id) => {
    const labscape = all.get(id);
    if (labscape === undefined) throw new ProblemError('not-found', `no labscape ${id} has joined`);
    return labscape;
  });

const usedUp = ({ policy }: LabscapeRecord, log: MoveLog | undefined, now: number): number =>
  movesWithin(log?.times ?? [], now, policy.rebalance.windowMs);

type Labscapes = RebalanceAnswer['labscapes'];

const windowsOf = async (runtime: Runtime, labscapes: readonly LabscapeRecord[]): Promise<Labscapes> => {
  const logs = await readMoveLogs(
    runtime.store,
    labscapes.map(({ id }) => id),
  );
  const now = runtime.clock.now();
  return labscapes.map((labscape) => {
    const { mode, movesPerWindow, windowMs } = labscape.policy.rebalance;
    const movesInWindow = usedUp(labscape, logs.get(labscape.id), now);
    return { labscape: labscape.id, mode, movesInWindow, movesPerWindow, windowMs };
  });
};

const viewOf = (move: StepMove, outcome: Outcome): RebalanceAnswer['moves'][number] => {
  const { group, from, to, before, after, gain, cost } = move;
  return { group: group.id, class: group.class, from, to, before, after, gain, cost, ...outcome };
};

const PLANNED: Outcome = { outcome: 'planned' };

/** Towards one of the goals that moves have. */
export type MoveRequest = RebalanceInput & { readonly goal: GoalName };

const shaped = (
  { goal, dryRun }: MoveRequest,
  step: StepInput,
  plan: StepPlan,
  outcomes: readonly Outcome[],
): Omit<RebalanceAnswer, 'leftAlone' | 'labscapes'> => {
  const kept = plan.moves.filter((_, i) => outcomes[i]?.outcome !== 'skipped');
  const total = (of: 'gain' | 'cost'): number => kept.reduce((sum, move) => sum + move[of], 0);
  return {
    ...{ goal, dryRun, better: step.goal.better, before: plan.before },
    after: kept.length === plan.moves.length ? plan.after : measureWith(step, kept),
    ...{ gain: total('gain'), cost: total('cost'), stopped: plan.stopped },
    moves: plan.moves.map((move, i) => viewOf(move, outcomes[i] ?? PLANNED)),
  };
};

/**
 * One bounded step of rebalancing towards a goal: the plan, or the plan carried out move by move. Labscapes whose policy
 * says `off` take no part, neither as sources nor as targets. Raises not-found (labscape).
 */
export const rebalance = async (
  runtime: Runtime,
  request: MoveRequest,
  requester: Requester,
): Promise<RebalanceAnswer> => {
  const snapshot = await runtime.fleet.snapshot(0);
  const named = chosen(snapshot.labscapes, request.labscapes);
  const taking = new Set(named.filter(({ policy }) => policy.rebalance.mode !== 'off').map(({ id }) => id));
  // What is in probation has no bounds to reckon with.
  const resources = snapshot.resources.filter(
    ({ labscape, eased }) => taking.has(labscape) && eased?.share !== 0,
  );
  const [view, windows] = await Promise.all([
    readMovable(runtime, request.goal, resources),
    windowsOf(runtime, named),
  ]);
  const step: StepInput = {
    goal: goalOf(request.goal, resources, view.groups),
    ...{ resources, groups: view.groups, movesMax: request.movesMax },
    allowed: new Map(
      windows.map((one) => [one.labscape, Math.max(0, one.movesPerWindow - one.movesInWindow)]),
    ),
  };
  const plan = planStep(step);
  if (request.dryRun || plan.moves.length === 0) {
    const answer = shaped(request, step, plan, []);
    return { ...answer, leftAlone: view.leftAlone, labscapes: windows };
  }
  const outcomes: Outcome[] = [];
  const freed = new Map<string, string>();
  for (const move of plan.moves) {
    const outcome = await carryOut(runtime, move, { rebalance: request.goal }, requester);
    outcomes.push(outcome);
    if (outcome.outcome === 'moved') freed.set(move.from, move.group.labscape ?? '');
  }
  for (const [id, labscape] of freed) await wakeFor(runtime, { id, labscape }, requester.request, 'freed');
  const answer = shaped(request, step, plan, outcomes);
  return { ...answer, leftAlone: view.leftAlone, labscapes: await windowsOf(runtime, named) };
};

/** The groups of each resource by themselves: nothing moves, so no window counts. Raises not-found (labscape). */
const tidy = async (
  runtime: Runtime,
  { goal, labscapes, dryRun, movesMax }: RebalanceInput,
  requester: Requester,
): Promise<RebalanceAnswer> => {
  const snapshot = await runtime.fleet.snapshot(0);
  const named = chosen(snapshot.labscapes, labscapes);
  const taking = named
    .filter(({ policy }) => policy.rebalance.mode !== 'off')
    .map(({ id, policy }) => ({ id, leaseMs: policy.leaseMs }));
  const { resources } = snapshot;
  const request = { labscapes: taking, resources, dryRun, stepsMax: movesMax, onlyNeeded: false };
  const { before, after, tidied, stopped, leftAlone } = await tidyGroups(runtime, request, requester);
  const written = tidied.reduce((sum, { members }) => sum + members, 0);
  return {
    ...{ goal, dryRun, better: 'lower', before, after, gain: before - after, cost: written },
    ...{ moves: [], tidied: [...tidied], stopped, leftAlone, labscapes: await windowsOf(runtime, named) },
  };
};

/** One bounded step towards whatever was asked for. Raises not-found (labscape). */
export const improve = async (
  runtime: Runtime,
  request: RebalanceInput,
  requester: Requester,
): Promise<RebalanceAnswer> => {
  const { goal } = request;
  return goal === TIDY_GROUPS
    ? tidy(runtime, request, requester)
    : rebalance(runtime, { ...request, goal }, requester);
};
