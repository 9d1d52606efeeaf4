import { type Figure, percentile } from '../figures.ts';
import { bestfit, dotprod, firstfit, gpuclustering, gpupacking, random } from './baselines.ts';
import { clusterOf, type PolicyMaker, take } from './cluster.ts';
import { fgd } from './fgd.ts';
import { ours } from './ours.ts';
import { arrivalsOf, readTrace, type Trace, WORKLOAD_DEFAULT } from './trace.ts';

const POLICIES: Readonly<Record<string, PolicyMaker>> = {
  random,
  dotprod,
  gpuclustering,
  gpupacking,
  bestfit,
  firstfit,
  fgd,
  labscape: ours,
};
/** Where the project keeps the data, beside the checkout. */
const DATA_DEFAULT = '../shared/openb';
const SEEDS = [42, 43, 44, 45, 46, 47, 48, 49, 50, 51];
/** Arrivals at which the figure is read, in percent of the cluster's GPU capacity. */
const ARRIVALS_PERCENT = [100, 130] as const;
const DECISION_BUDGET_MS = 1;
/** Mean allocation published for 130 % arrivals (README of the data); first fit is an independent rerun. */
const PUBLISHED: Readonly<Record<string, number>> = {
  ...{ random: 87.47, dotprod: 90.85, gpuclustering: 91.88, gpupacking: 92.0 },
  ...{ bestfit: 93.08, firstfit: 94.39, fgd: 95.39 },
};

/** State when the arrivals reached a percentage. */
interface Reading {
  readonly percent: number;
  readonly allocated: number;
  readonly failed: number;
  readonly decisions: number;
}

interface Run {
  readonly readings: readonly Reading[];
  /** ms per decision, upkeep included, in the order of arrival. */
  readonly times: readonly number[];
}

const runOnce = (trace: Trace, make: PolicyMaker, seed: number): Run => {
  const nodes = clusterOf(trace.nodes);
  const policy = make(nodes, trace, seed);
  const times: number[] = [];
  const readings: Reading[] = [];
  let [asked, allocated, failed] = [0, 0, 0];
  const read = (percent: number): void => {
    readings.push({
      percent,
      allocated: (100 * allocated) / trace.gpuMilli,
      failed,
      decisions: times.length,
    });
  };
  const [early, late] = ARRIVALS_PERCENT;
  for (const task of arrivalsOf(trace, seed, late / 100)) {
    if (readings.length === 0 && asked + task.gpuMilli > (early / 100) * trace.gpuMilli) read(early);
    asked += task.gpuMilli;
    const start = performance.now();
    const spot = policy.decide(task);
    if (spot !== undefined) policy.settle?.(spot, task);
    times.push(performance.now() - start);
    if (spot === undefined) failed += 1;
    else {
      take(spot, task);
      allocated += task.gpuMilli;
    }
  }
  read(late);
  return { readings, times };
};

const mean = (values: readonly number[]): number => values.reduce((sum, v) => sum + v, 0) / values.length;
/** Sample standard deviation, as published. */
const deviation = (values: readonly number[]): number => {
  const middle = mean(values);
  return Math.sqrt(values.reduce((sum, v) => sum + (v - middle) ** 2, 0) / Math.max(1, values.length - 1));
};
const rounded = (value: number, digits: number): number => Number(value.toFixed(digits));

const figureAt = (
  policy: string,
  runs: readonly Run[],
  fgdMean: number | undefined,
  percent: number,
  workload: string,
): Figure => {
  const readings = runs.flatMap((run) => run.readings.filter((reading) => reading.percent === percent));
  const shares = readings.map(({ allocated }) => allocated);
  const times = runs
    .flatMap((run, i) => run.times.slice(0, readings[i]?.decisions ?? 0))
    .sort((a, b) => a - b);
  const published = percent === 130 && workload === WORKLOAD_DEFAULT ? PUBLISHED[policy] : undefined;
  const ms = (share: number): number => rounded(percentile(times, share), 4);
  return {
    ...{
      name: `openb ${policy} at ${percent} %`,
      policy,
      workload,
      arrivals: percent,
      meanUnit: '%',
      unit: 'ms',
      n: runs.length,
    },
    ...{ mean: rounded(mean(shares), 3), sd: rounded(deviation(shares), 3) },
    ...(fgdMean === undefined ? {} : { diffToFgd: rounded(mean(shares) - fgdMean, 3) }),
    ...(published === undefined ? {} : { published, diffToPublished: rounded(mean(shares) - published, 3) }),
    ...{ p50: ms(0.5), p99: ms(0.99), max: ms(1) },
    ...(policy === 'labscape'
      ? { budget: DECISION_BUDGET_MS, p99Allowed: DECISION_BUDGET_MS, held: ms(0.99) <= DECISION_BUDGET_MS }
      : {}),
    failed: Math.round(mean(readings.map(({ failed }) => failed))),
  };
};

const meanAt = (runs: readonly Run[], percent: number): number =>
  mean(runs.flatMap(({ readings }) => readings.filter((r) => r.percent === percent).map((r) => r.allocated)));

/**
 * GPU allocation on the openb cluster, protocol in the README beside the data. Every policy runs in the same harness
 * on the same arrivals; the harness keeps its own books and throws on a broken constraint. p50 and p99 are ms per
 * decision with the policy's upkeep, over all seeds; `mean` and `sd` are percent over seeds.
 */
export const openb = async (
  progress: (text: string) => void,
  {
    data = DATA_DEFAULT,
    workload = WORKLOAD_DEFAULT,
  }: { readonly data?: string | undefined; readonly workload?: string | undefined },
  only?: readonly string[],
): Promise<readonly Figure[]> => {
  const trace = readTrace(data, workload);
  const runs = new Map<string, readonly Run[]>();
  for (const [policy, make] of Object.entries(POLICIES)) {
    if (only !== undefined && !only.includes(policy)) continue;
    const done: Run[] = [];
    for (const seed of SEEDS) {
      progress(`openb ${policy}, seed ${seed}`);
      done.push(runOnce(trace, make, seed));
    }
    runs.set(policy, done);
  }
  const reference = runs.get('fgd');
  return [...runs].flatMap(([policy, done]) =>
    ARRIVALS_PERCENT.map((percent) =>
      figureAt(policy, done, reference && meanAt(reference, percent), percent, workload),
    ),
  );
};
