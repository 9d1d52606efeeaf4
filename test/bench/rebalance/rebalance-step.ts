import { GROUPS_HELD_MAX } from '../../../lib/allocation/groups.ts';
import { Rebalancer } from '../../../lib/optimisation/rebalance.ts';
import type { RebalanceGroup, RebalanceResource } from '../../../lib/optimisation/rebalance-types.ts';
import { sum } from '../../../lib/vector.ts';
import { type Figure, figureOf, percentile } from '../figures.ts';
import { randomOf } from '../openb/trace.ts';
import { TRIALS, type Trial } from './goals.ts';
import { admits, skewed } from './skewed.ts';

const RESOURCES = 1_000;
const ROUNDS = 1_000;
const WARM_UP = 100;
const BUDGET_MS = 3;
/** Resources that change between two steps: 1 %. */
const CHURN = RESOURCES / 100;
const SEED = 11;
const BOUNDS = { movesPerStepMax: 8, movesPerWindowMax: 8, movesInWindow: 0, heldMax: GROUPS_HELD_MAX };

/** A fleet's books beside the rebalancer's: plans are carried out here, and work comes and goes. */
class Books {
  readonly #resources: Map<string, RebalanceResource>;
  readonly #groups = new Map<string, RebalanceGroup[]>();

  constructor(resources: readonly RebalanceResource[], groups: readonly RebalanceGroup[]) {
    this.#resources = new Map(resources.map((resource) => [resource.id, resource]));
    for (const { id } of resources) this.#groups.set(id, []);
    for (const group of groups) this.#groups.get(group.resource)?.push(group);
  }

  carryOut(moves: readonly { group: RebalanceGroup; from: string; to: string }[]): void {
    for (const { group, from, to } of moves) {
      this.#groups.set(
        from,
        (this.#groups.get(from) ?? []).filter(({ id }) => id !== group.id),
      );
      this.#groups.get(to)?.push({ ...group, resource: to, epoch: group.epoch + 1 });
    }
  }

  /** Every group of one resource asks for up to a fifth more or less than before, and stays within the fill. */
  change(id: string, random: () => number): [RebalanceResource, readonly RebalanceGroup[]] | undefined {
    const resource = this.#resources.get(id);
    if (resource === undefined) return undefined;
    const grown = (this.#groups.get(id) ?? []).map((group) => {
      const factor = 0.8 + 0.4 * random();
      const { processing, memory, storage, network } = group.demand;
      const [p, m, s, n] = [processing, memory, storage, network].map((q) => Math.round(q * factor));
      return { ...group, demand: { processing: p ?? 0, memory: m ?? 0, storage: s ?? 0, network: n ?? 0 } };
    });
    this.#groups.set(id, grown);
    return [{ ...resource, used: sum(grown.map(({ demand }) => demand)), held: grown.length }, grown];
  }
}

/** Turns of a bare loop that take about as long as a step. */
const BARE_TURNS = 400_000;

/** A fixed loop beside each step: its tail is the machine's, and shows how much of the step's is. */
const bareMs = (): number => {
  const startedMs = performance.now();
  let mixed = 1;
  for (let turn = 0; turn < BARE_TURNS; turn++) mixed = Math.imul(mixed ^ (mixed >>> 15), turn | 1);
  return mixed === -1 ? 0 : performance.now() - startedMs;
};

const ranked = (samples: readonly number[], share: number): number =>
  Math.round(
    1_000 *
      percentile(
        [...samples].sort((a, b) => a - b),
        share,
      ),
  ) / 1_000;

const run = (trial: Trial): Figure => {
  const snapshot = skewed(RESOURCES, trial.skew, SEED);
  const goal = trial.goal(snapshot);
  const rebalancer = new Rebalancer(goal, snapshot);
  const books = new Books(snapshot.resources, snapshot.groups);
  const random = randomOf(SEED);
  const steps: number[] = [];
  const upkeep: number[] = [];
  const bare: number[] = [];
  let moves = 0;
  for (let round = 0; round < ROUNDS + WARM_UP; round++) {
    const changes = Array.from({ length: CHURN }, () => {
      const { id = '' } = snapshot.resources[Math.floor(random() * RESOURCES)] ?? {};
      return books.change(id, random);
    });
    const upkeepMs = performance.now();
    for (const change of changes) if (change !== undefined) rebalancer.learn(...change);
    const stepMs = performance.now();
    const plan = rebalancer.plan(BOUNDS, admits);
    const planned = performance.now();
    rebalancer.apply(plan);
    books.carryOut(plan.moves);
    if (round < WARM_UP) continue;
    steps.push(planned - upkeepMs);
    upkeep.push(stepMs - upkeepMs);
    bare.push(bareMs());
    moves += plan.moves.length;
  }
  return figureOf(`rebalance-step ${goal.name}`, steps, {
    budget: BUDGET_MS,
    extra: {
      ...{ resources: RESOURCES, groups: snapshot.groups.length, moves, churn: CHURN },
      bareP50: ranked(bare, 0.5),
      bareP99: ranked(bare, 0.99),
      upkeepMeanMs: Math.round((1_000 * upkeep.reduce((total, ms) => total + ms, 0)) / upkeep.length) / 1_000,
    },
  });
};

/** One planning step of at most 8 moves, learning of 1 % changed resources counted in. */
export const rebalanceStep = async (progress: (text: string) => void): Promise<readonly Figure[]> =>
  TRIALS.map((trial) => {
    progress('rebalance-step');
    return run(trial);
  });
