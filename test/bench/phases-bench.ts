import { type Figure, figureOf, percentile } from './figures.ts';
import { type PhaseRuns, runPhases } from './phases.ts';

/** Recoveries of the two rows that are judged; those that only show growth take fewer. */
const RECOVERIES = Number(process.env['BENCH_RECOVERIES'] ?? 200);
const RECOVERIES_GROWTH = Math.ceil(RECOVERIES / 4);
/** A flip of 24 groups may take so many times its own bare request (DESIGN §2). */
const FLIP_TO_BARE_MAX = 1.25;
/** A phase grows if its median does by so much more than that of the bare request: a fuller engine slows everything. */
const GROWTH_RATIO = 1.3;
const GROWTH_MS = 0.5;

/** Time of each phase: 8 and 24 groups, 10 to 100,000 allocations. */
export const phases = async (progress: (text: string) => void): Promise<readonly Figure[]> => {
  const run = (groups: number, allocations: number, recoveries: number): Promise<PhaseRuns> =>
    runPhases({ recoveries, groups, allocations }, progress);
  const eight = await run(8, 1_000, RECOVERIES);
  const many = await run(24, 1_000, RECOVERIES);
  const few = await run(8, 10, RECOVERIES_GROWTH);
  const most = await run(8, 100_000, RECOVERIES_GROWTH);
  return [
    ...phaseFigures('8 groups', eight, 'budget'),
    initiateAndFailover(eight),
    ...phaseFigures('24 groups', many, 'ratio'),
    ...phaseFigures('8 groups, 10 allocations', few, 'none'),
    ...phaseFigures('8 groups, 100000 allocations', most, 'none'),
    growthFigure('phases that grow, 10 to 100000 allocations', few, most),
    growthFigure('phases that grow, 8 to 24 groups', eight, many),
  ];
};

const namesOf = ({ reports }: PhaseRuns): readonly string[] => [
  ...new Set(
    reports.flatMap((report) => report.phases.filter((p) => p.budgetMs !== undefined).map((p) => p.name)),
  ),
];

const samplesOf = ({ reports }: PhaseRuns, name: string): readonly number[] =>
  reports.flatMap((report) => report.phases.filter((phase) => phase.name === name).map((phase) => phase.ms));

const median = (samples: readonly number[]): number =>
  percentile(
    [...samples].sort((a, b) => a - b),
    0.5,
  );

/** Rows are judged by the budgets, or the flip alone by its bare request, or not at all. */
const phaseFigures = (label: string, runs: PhaseRuns, judge: 'budget' | 'ratio' | 'none'): Figure[] => {
  const bare = median(runs.floor);
  const figures = namesOf(runs).map((name) => {
    const samples = samplesOf(runs, name);
    if (judge === 'budget') {
      const budget = runs.reports[0]?.phases.find((phase) => phase.name === name)?.budgetMs;
      return figureOf(`${label}: ${name}`, samples, {
        floor: runs.floor,
        ...(budget === undefined ? {} : { budget }),
      });
    }
    if (judge === 'none' || name !== 'Failover') return figureOf(`${label}: ${name}`, samples);
    const ratioToBare = Math.round((median(samples) / bare) * 100) / 100;
    return figureOf(`${label}: ${name}`, samples, {
      extra: { ratioToBare, ratioBudget: FLIP_TO_BARE_MAX, held: ratioToBare <= FLIP_TO_BARE_MAX },
    });
  });
  return [...figures, figureOf(`${label}: the flip's bare request`, runs.floor)];
};

/** The specification's failover time. */
const initiateAndFailover = (runs: PhaseRuns): Figure => {
  const failover = samplesOf(runs, 'Failover');
  const samples = samplesOf(runs, 'Initiate').map((ms, index) => ms + (failover[index] ?? Number.NaN));
  return figureOf('8 groups: Initiate + Failover', samples, { budget: 10, floor: runs.floor });
};

const growthFigure = (name: string, from: PhaseRuns, to: PhaseRuns): Figure => {
  const engine = median(to.floor) / median(from.floor);
  const growing = namesOf(to).flatMap((phase) => {
    const before = median(samplesOf(from, phase));
    const after = median(samplesOf(to, phase));
    const grows = after > before * engine * GROWTH_RATIO && after - before > GROWTH_MS;
    return grows ? [`${phase} ${before.toFixed(1)} → ${after.toFixed(1)} ms`] : [];
  });
  const n = to.reports.length;
  return {
    name,
    unit: 'phases',
    n,
    p50: growing.length,
    p99: growing.length,
    growing,
    engine: Math.round(engine * 100) / 100,
  };
};
