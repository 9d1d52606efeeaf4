import type { Candidate } from '../../lib/allocation/candidate.ts';
import { FleetIndex } from '../../lib/allocation/fleet-index.ts';
import type { PlacementRequest } from '../../lib/allocation/request.ts';
import { LOAD_EPSILON } from '../../lib/allocation/strategies/consistent-hashing.ts';
import { STRATEGIES } from '../../lib/allocation/strategies/registry.ts';
import type { Strategy } from '../../lib/allocation/strategy.ts';
import type { StrategyName } from '../../lib/schemas/strategy.ts';
import { add, mapVector, subtract } from '../../lib/vector.ts';
import { type Figure, percentile } from './figures.ts';
import { type Random, seeded } from './fleet-model.ts';
import { loadNow } from './timed.ts';

const SIZES = [100, 1_000] as const;
/** Unit demands per resource when all are placed. */
const MEAN = 50;
const ROUNDS = 20;
/** Of all demands, leave and come anew in a round; the balance is read when all are placed again. */
const CHURN = 0.1;
/** What the theory of two choices leaves open: its bound is ln ln n / ln 2 + O(1). */
const TWO_CHOICES_REST = 2;
const UNIT = mapVector(() => 1);
/** Room for several times the mean, so that only the strategy keeps the balance. */
const ROOM = mapVector(() => 20 * MEAN);

/**
 * Most over mean, as theory says for equal resources and unit demands; undefined where it says nothing.
 * least-loaded: a unit goes to the least, which is at or under the mean, so none passes the mean by more than one.
 * power-of-two: mean + ln ln n / ln 2 + O(1): Berenbrink, Czumaj, Steger, Vöcking, STOC 2000; with deletions Cole et al., 1998.
 * consistent-hashing: (1 + ε) × mean, and the unit in hand: Mirrokni, Thorup, Zadimoghaddam, SODA 2018.
 * round-robin and its weighted form: the next in turn, so one over the mean while nothing leaves; after that nothing.
 */
const BOUNDS: Partial<
  Record<StrategyName, { filled: (n: number) => number; churned?: (n: number) => number }>
> = {
  'least-loaded': { filled: () => 1 + 1 / MEAN, churned: () => 1 + 1 / MEAN },
  'round-robin': { filled: () => 1 + 1 / MEAN },
  'weighted-round-robin': { filled: () => 1 + 1 / MEAN },
  'power-of-two': {
    filled: (n) => 1 + (Math.log2(Math.log(n)) + TWO_CHOICES_REST) / MEAN,
    churned: (n) => 1 + (Math.log2(Math.log(n)) + TWO_CHOICES_REST) / MEAN,
  },
  'consistent-hashing': {
    filled: () => 1 + LOAD_EPSILON + 1 / MEAN,
    churned: () => 1 + LOAD_EPSILON + 1 / MEAN,
  },
};

const MEASURED: readonly StrategyName[] = [
  ...(['least-loaded', 'round-robin', 'weighted-round-robin', 'power-of-two'] as const),
  ...(['consistent-hashing', 'spread'] as const),
];

/** A fleet of equal resources with unit demands on it. */
class Board {
  readonly index = new FleetIndex();
  readonly homes = new Map<string, string>();
  readonly #strategy: Strategy;
  readonly #random: Random;

  constructor(name: StrategyName, resources: number, random: Random) {
    this.#random = random;
    for (let i = 0; i < resources; i++) {
      const empty = mapVector(() => 0);
      const one: Candidate = {
        ...{ id: `r${i}`, labscape: 'l0', status: 'healthy', labels: {}, cfg: 1, epoch: 1, groups: [] },
        ...{ capacity: ROOM, limit: ROOM, fill: ROOM, used: empty },
      };
      this.index.put(one);
    }
    this.#strategy = STRATEGIES[name](this.index);
  }

  place(key: string): void {
    const request: PlacementRequest = {
      ...{ demand: UNIT, constraints: {}, purpose: 'placement', most: 1, hashKey: key },
    };
    const [first] = this.#strategy.choose(request, this.#random);
    if (first === undefined) throw new Error('There is room for all');
    this.index.put({ ...first.candidate, used: add(first.candidate.used, UNIT) });
    this.homes.set(key, first.candidate.id);
  }

  take(key: string): void {
    const one = this.index.get(this.homes.get(key) ?? '');
    if (one !== undefined) this.index.put({ ...one, used: subtract(one.used, UNIT) });
    this.homes.delete(key);
  }

  /** Most over mean. */
  get peak(): number {
    const loads = [...this.index.ids()].map((id) => this.index.get(id)?.used.processing ?? 0);
    return (Math.max(...loads) * loads.length) / loads.reduce((sum, load) => sum + load, 0);
  }
}

const figure = (
  name: string,
  strategy: StrategyName,
  resources: number,
  peaks: readonly number[],
  bound: number | undefined,
  movedShare?: { readonly movedShare: number; readonly movedBound: number },
): Figure => {
  const sorted = [...peaks].sort((a, b) => a - b);
  const maxToMean = percentile(sorted, 1);
  const held =
    (bound === undefined || maxToMean <= bound) &&
    (movedShare === undefined || movedShare.movedShare <= movedShare.movedBound);
  return {
    ...{ name: `balance ${strategy} of ${resources}, ${name}`, unit: 'max/mean', n: peaks.length },
    ...{ p50: percentile(sorted, 0.5), p99: percentile(sorted, 0.99), strategy, resources, maxToMean },
    ...(movedShare ?? {}),
    ...(bound === undefined && movedShare === undefined ? {} : { bound, held }),
    load: loadNow(),
  };
};

/** Every key hashed anew without one resource: the share whose home is another one. */
const rehashed = (resources: number, board: Board, gone: string): number => {
  const again = new Board('consistent-hashing', resources, seeded(1));
  again.index.remove(gone);
  for (const key of board.homes.keys()) again.place(key);
  let moved = 0;
  for (const [key, home] of board.homes) if (again.homes.get(key) !== home) moved += 1;
  return moved / board.homes.size;
};

const rowsOf = (strategy: StrategyName, resources: number): readonly Figure[] => {
  const random = seeded(resources);
  const board = new Board(strategy, resources, random);
  const total = resources * MEAN;
  for (let i = 0; i < total; i++) board.place(`k${i}`);
  const filled = board.peak;
  const gone = 'r7';
  const bounds = BOUNDS[strategy];
  const figures = [figure('filled', strategy, resources, [filled], bounds?.filled(resources))];
  if (strategy === 'consistent-hashing')
    // Mirrokni et al.: a resource that leaves moves O(C / ε²) keys, C its capacity; the constant is taken as 1.
    figures.push(
      figure('keys hashed anew without one', strategy, resources, [filled], undefined, {
        movedShare: rehashed(resources, board, gone),
        movedBound: (1 + LOAD_EPSILON) / LOAD_EPSILON ** 2 / resources,
      }),
    );
  let next = total;
  const peaks: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const keys = [...board.homes.keys()];
    for (let i = 0; i < total * CHURN; i++) {
      const at = Math.floor(random() * keys.length);
      const key = keys[at] ?? '';
      keys[at] = keys[keys.length - 1] ?? '';
      keys.pop();
      board.take(key);
    }
    for (let i = 0; i < total * CHURN; i++, next++) board.place(`k${next}`);
    peaks.push(board.peak);
  }
  figures.push(figure('churned', strategy, resources, peaks, bounds?.churned?.(resources)));
  const orphans = [...board.homes].filter(([, home]) => home === gone).map(([key]) => key);
  board.index.remove(gone);
  for (const key of orphans) board.place(key);
  // Only what ran on the one that left moves: its load, at most the peak, of n times the mean.
  const moved = { movedShare: orphans.length / total, movedBound: Math.max(...peaks) / resources };
  figures.push(figure('one left', strategy, resources, [board.peak], undefined, moved));
  return figures;
};

/**
 * How evenly unit demands stand on equal resources: filled at once; with a tenth leaving and coming anew, twenty times;
 * and after one resource left and what it ran was placed anew. `bound` is what theory allows, `held` whether it holds.
 */
export const balance = async (progress: (text: string) => void): Promise<readonly Figure[]> =>
  SIZES.flatMap((resources) =>
    MEASURED.flatMap((strategy) => {
      progress(`balance ${strategy} of ${resources}`);
      return rowsOf(strategy, resources);
    }),
  );
