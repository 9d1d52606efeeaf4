import { setTimeout as sleep } from 'node:timers/promises';
import type { TransactionRecord } from '../../infra/local/database/dynamodb-endpoint.ts';
import { ApiProblem } from '../../lib/client/api-error.ts';
import { inLanes } from '../../lib/services/recovery/lanes.ts';
import { leastShare, sum } from '../../lib/vector.ts';
import { type Figure, figureOf } from './figures.ts';
import { type Bench, startBench, TENANT, vector } from './rig.ts';
import { seedAllocations } from './seed.ts';

/** Resources of the labscape that is lost, a row each. */
const SIZES = (process.env['BENCH_RESOURCES'] ?? '100,1000').split(',').map(Number);
const LOST = 'lost';
const SPARES = ['spare-1', 'spare-2', 'spare-3', 'spare-4'];
const GROUPS_EACH = 2;
const ALLOCATIONS_EACH = 4;
const CAPACITY = 1_000_000;
const DEMAND = 1_000;
/** Spare resources, all labscapes together, as a share of those that are lost. */
const SPARE_SHARE = 0.2;
const LANES = 8;
/** How often the last transactions are looked at, and who still holds work: the host remembers 2,000 transactions. */
const LOOK_EVERY_MS = 200;
const REPEAT_MS = 10_000;
const TIMEOUT_MS = 300_000;
const AGAIN_MS = 1_000;

/**
 * A labscape of 100 and of 1,000 resources is lost, through the real handlers and state machine. `totalMs`: from the
 * request to the end of the last flip, when all that ran there has a new owner. `transactions`: committed ones that
 * wrote a group in that time. `rehomedShare`: demand that the flips re-homed, of all that was lost.
 */
export const labscapeFailover = async (progress: (text: string) => void): Promise<readonly Figure[]> => {
  const figures: Figure[] = [];
  for (const resources of SIZES) figures.push(await measure(resources, progress));
  return figures;
};

const measure = async (count: number, progress: (text: string) => void): Promise<Figure> => {
  // With the guards on: they are what sees each transaction.
  const bench = await startBench({ guards: true });
  try {
    progress(`labscape-failover: ${count} resources are registered`);
    const ids = await setUp(bench, count);
    progress(`labscape-failover: ${count} resources fail`);
    return await fail(bench, ids);
  } finally {
    await bench.stop();
  }
};

const setUp = async (bench: Bench, count: number): Promise<readonly string[]> => {
  const { operator } = bench;
  const policy = { mode: 'automatic', fencing: 'immediate', coolDownMs: 0 } as const;
  for (const id of [LOST, ...SPARES]) await operator.call('joinLabscape', { body: { id, policy } });
  await operator.call('putTenant', {
    params: { tenant: TENANT },
    body: { quota: vector(1_000_000_000), slices: 8 },
  });
  const ids = Array.from({ length: count }, (_, index) => `${LOST}-${index}`);
  const each = Math.ceil((count * SPARE_SHARE) / SPARES.length);
  const spares = SPARES.map((labscape) => ({
    labscape,
    all: Array.from({ length: each }, (_, index) => `${labscape}-${index}`),
  }));
  // One after the other in each labscape: its item is checked by each registration.
  await Promise.all(
    [{ labscape: LOST, all: ids }, ...spares].map(async ({ labscape, all }) => {
      for (const id of all)
        await operator.call('registerResource', { body: { id, labscape, capacity: vector(CAPACITY) } });
    }),
  );
  await inLanes(ids, LANES, (resource) =>
    seedAllocations(bench, {
      ...{ resource, labscape: LOST, groups: GROUPS_EACH, allocations: ALLOCATIONS_EACH },
      ...{ demand: vector(DEMAND), prefix: resource },
    }),
  );
  return ids;
};

/** Committed transactions that wrote a group, seen while it goes on. */
class GroupWrites {
  readonly #seen = new Set<TransactionRecord>();
  readonly #bench: Bench;
  readonly #from = Date.now();

  constructor(bench: Bench) {
    this.#bench = bench;
  }

  look(): void {
    for (const one of this.#bench.host.transactions())
      if (one.at >= this.#from && one.status === 200 && one.keys.some((key) => key.includes('GRP#')))
        this.#seen.add(one);
  }

  get count(): number {
    return this.#seen.size;
  }
}

/** A control plane that is too busy to answer asks for the same call again, which goes on where it stopped. */
const againLater = (error: unknown): undefined => {
  if (error instanceof ApiProblem && error.status === 503) return undefined;
  throw error;
};

/** An execution that died before it wrote anything leaves a name without a report. */
const neverBegun = (error: unknown): undefined => {
  if (error instanceof ApiProblem && error.code === 'not-found') return undefined;
  throw error;
};

/** Resources of the lost labscape that still hold groups. */
const holding = async (bench: Bench): Promise<number> => {
  let count = 0;
  for await (const { groups } of bench.operator.pages('listResources', {
    query: { labscape: LOST, limit: 500 },
  }))
    if (groups > 0) count += 1;
  return count;
};

const fail = async (bench: Bench, ids: readonly string[]): Promise<Figure> => {
  const flipped: number[] = [];
  const stopListening = bench.host.onMetric((_, emf) => {
    if ((emf as { phase?: string }).phase === 'Failover') flipped.push(performance.now());
  });
  const writes = new GroupWrites(bench);
  const looking = setInterval(() => writes.look(), LOOK_EVERY_MS).unref();
  const startedMs = performance.now();
  const started = new Set<string>();
  let calls = 0;
  const call = async (): Promise<number> => {
    for (;;) {
      calls += 1;
      const body = { reason: 'bench' };
      const answer = await bench.operator
        .call('failTogether', { params: { labscape: LOST }, body })
        .catch((error: unknown) => againLater(error));
      if (answer === undefined) {
        await sleep(AGAIN_MS);
        continue;
      }
      for (const { recovery } of [...answer.recoveries, ...answer.adopted]) started.add(recovery);
      if (answer.left === 0) return performance.now() - startedMs;
    }
  };
  const answeredMs = await call();
  for (let askedMs = performance.now(); (await holding(bench)) > 0; ) {
    await sleep(LOOK_EVERY_MS);
    if (performance.now() - startedMs > TIMEOUT_MS)
      throw new Error(`${await holding(bench)} of ${ids.length} hold work after ${TIMEOUT_MS} ms`);
    if (performance.now() - askedMs < REPEAT_MS) continue;
    // A start that died before its recovery wrote anything is the sweep's otherwise, and no schedule runs here.
    await call();
    askedMs = performance.now();
  }
  clearInterval(looking);
  writes.look();
  stopListening();
  const totalMs = Math.max(...flipped) - startedMs;
  const found = await inLanes([...started], LANES, (recovery) =>
    bench.operator.call('getRecovery', { params: { recovery } }).catch((error: unknown) => neverBegun(error)),
  );
  // Those that ended before their flip tell of nothing.
  const reports = found.flatMap((report) =>
    report === undefined || report.demand.processing === 0 ? [] : [report],
  );
  const demand = sum(reports.map((report) => report.demand));
  const lost = vector(DEMAND * ALLOCATIONS_EACH * ids.length);
  if (demand.processing !== lost.processing)
    throw new Error(`the reports tell of ${demand.processing} milli-vCPU, ${lost.processing} were lost`);
  const details = reports.map(({ phases }) => phases.find(({ name }) => name === 'Failover'));
  const summed = (name: string): number =>
    details.reduce((total, result) => total + Number(result?.detail[name] ?? 0), 0);
  return figureOf(
    `labscape-failover, ${ids.length} resources: one flip`,
    details.map((result) => result?.ms ?? Number.NaN),
    {
      extra: {
        resources: ids.length,
        groups: ids.length * GROUPS_EACH,
        totalMs: Math.round(totalMs),
        answeredMs: Math.round(answeredMs),
        calls,
        recoveries: reports.length,
        transactions: writes.count,
        rehomedShare: leastShare(sum(reports.map(({ rehomed }) => rehomed)), demand),
        asJointlyPlanned: summed('asJointlyPlanned'),
        replansAndRaces: summed('replans'),
        guards: 'on',
      },
    },
  );
};
