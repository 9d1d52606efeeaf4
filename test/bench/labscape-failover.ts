import { setTimeout as sleep } from 'node:timers/promises';
import type { TransactionRecord } from '../../infra/local/dynamodb-endpoint.ts';
import { inLanes } from '../../lib/services/lanes.ts';
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
/** How often the last transactions are looked at: the host remembers 2,000. */
const LOOK_EVERY_MS = 100;
const TIMEOUT_MS = 300_000;

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

const fail = async (bench: Bench, ids: readonly string[]): Promise<Figure> => {
  const flipped: number[] = [];
  const stopListening = bench.host.onMetric((_, emf) => {
    if ((emf as { phase?: string }).phase === 'Failover') flipped.push(performance.now());
  });
  const writes = new GroupWrites(bench);
  const startedMs = performance.now();
  const started = new Set<string>();
  let calls = 0;
  const call = async (): Promise<number> => {
    for (;;) {
      const answer = await bench.operator.call('failTogether', {
        params: { labscape: LOST },
        body: { reason: 'bench' },
      });
      calls += 1;
      for (const { recovery } of [...answer.recoveries, ...answer.adopted]) started.add(recovery);
      if (answer.left === 0) return performance.now() - startedMs;
    }
  };
  const callMs = call();
  while (flipped.length < ids.length) {
    writes.look();
    await Promise.race([sleep(LOOK_EVERY_MS), callMs.then(() => sleep(LOOK_EVERY_MS))]);
    if (performance.now() - startedMs > TIMEOUT_MS)
      throw new Error(
        `${flipped.length} of ${ids.length} flips in ${TIMEOUT_MS} ms, ${started.size} started`,
      );
  }
  writes.look();
  stopListening();
  const totalMs = Math.max(...flipped) - startedMs;
  const answeredMs = await callMs;
  const reports = await inLanes([...started], LANES, (recovery) =>
    bench.operator.call('getRecovery', { params: { recovery } }),
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
        transactions: writes.count,
        rehomedShare: leastShare(sum(reports.map(({ rehomed }) => rehomed)), demand),
        asJointlyPlanned: summed('asJointlyPlanned'),
        replansAndRaces: summed('replans'),
        guards: 'on',
      },
    },
  );
};
