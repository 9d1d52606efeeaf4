import { GROUPS_HELD_MAX } from '../../../lib/allocation/groups.ts';
import { Rebalancer } from '../../../lib/optimisation/rebalance.ts';
import { type Figure, percentile } from '../figures.ts';
import { TRIALS, type Trial } from './goals.ts';
import { admits, skewed } from './skewed.ts';

const SIZES = [1_000, 10_000];
const SEED = 7;
/** Computing time that the steps of one run may take together, building the index counted in, ms. */
const TIME_MS = 1_000;
const BOUNDS = {
  ...{ movesPerStepMax: 8, movesPerWindowMax: Number.MAX_SAFE_INTEGER },
  ...{ movesInWindow: 0, heldMax: GROUPS_HELD_MAX },
};

const rounded = (value: number): number => Math.round(value * 10_000) / 10_000;

const run = (trial: Trial, count: number): Figure => {
  const snapshot = skewed(count, trial.skew, SEED);
  const goal = trial.goal(snapshot);
  const startedMs = performance.now();
  const rebalancer = new Rebalancer(goal, snapshot);
  const before = rebalancer.measure;
  const steps: number[] = [];
  let moves = 0;
  let cost = 0;
  let stopped = 'time';
  while (performance.now() - startedMs < TIME_MS) {
    const stepMs = performance.now();
    const plan = rebalancer.plan(BOUNDS, admits);
    rebalancer.apply(plan);
    steps.push(performance.now() - stepMs);
    moves += plan.moves.length;
    cost += plan.moves.reduce((sum, move) => sum + move.cost, 0);
    if (plan.stopped === 'nothing-gains') {
      stopped = plan.stopped;
      break;
    }
  }
  const ms = performance.now() - startedMs;
  steps.sort((a, b) => a - b);
  return {
    ...{ name: `rebalance ${goal.name}, ${count}`, goal: goal.name, better: goal.better, unit: 'ms' },
    ...{ resources: count, groups: snapshot.groups.length, n: steps.length },
    ...{ before: rounded(before), after: rounded(rebalancer.measure), bound: rounded(trial.bound(snapshot)) },
    ...{ moves, cost: rounded(cost), ms: Math.round(ms), stopped },
    ...{ p50: rounded(percentile(steps, 0.5)), p99: rounded(percentile(steps, 0.99)) },
  };
};

/** From a bad start to what one second of planning reaches, per goal, against what nothing could pass. */
export const rebalance = async (progress: (text: string) => void): Promise<readonly Figure[]> =>
  SIZES.flatMap((count) =>
    TRIALS.map((trial) => {
      progress(`rebalance of ${count}`);
      return run(trial, count);
    }),
  );
