import type { Recovery } from '../../lib/schemas/recovery.ts';
import { type Figure, figureOf } from './figures.ts';
import { type Bench, failAndRecover, setUpFleet, startBench, TENANT, vector } from './rig.ts';
import { seedAllocations } from './seed.ts';

/** Recoveries per figure: there and back between two resources. */
const RECOVERIES = 12;
const CAPACITY = 1_000_000_000;
const HOMES = ['home-a', 'home-b'] as const;

/** What a failover costs at 10, 1,000 and 100,000 allocations, and at 1, 8 and 24 groups; every allocation read back. */
export const failoverScale = async (progress: (text: string) => void): Promise<readonly Figure[]> => {
  const figures: Figure[] = [];
  for (const [allocations, groups] of [
    [10, 8],
    [1_000, 8],
    [100_000, 8],
    [1_000, 1],
    [1_000, 24],
  ] as const) {
    figures.push(await measure(allocations, groups, progress));
  }
  return figures;
};

const measure = async (
  allocations: number,
  groups: number,
  progress: (text: string) => void,
): Promise<Figure> => {
  // With the guards on: they are what counts the items of each transaction.
  const bench = await startBench({ guards: true });
  try {
    progress(`failover-scale: ${allocations} allocations in ${groups} groups`);
    await setUpFleet(bench, 'lab', new Map(HOMES.map((id) => [id, vector(CAPACITY)])));
    const ids = await seedAllocations(bench, {
      resource: HOMES[0],
      labscape: 'lab',
      groups,
      allocations,
      demand: vector(1),
    });
    const samples: number[] = [];
    const writes = new Set<number>();
    const transactions = new Set<number>();
    let owner = 0;
    for (let run = 0; run < RECOVERIES; run += 1) {
      const report = await failAndRecover(bench, HOMES[owner % 2] ?? HOMES[0]);
      if (report.moves.length !== groups)
        throw new Error(`${report.id} moved ${report.moves.length} of ${groups} groups`);
      const flips = flipsOf(bench, report);
      transactions.add(flips.length);
      for (const items of flips) writes.add(items);
      samples.push(report.phases.find((phase) => phase.name === 'Failover')?.ms ?? Number.NaN);
      owner += 1;
    }
    const home = HOMES[owner % 2] ?? HOMES[0];
    const readBack = await countOn(bench, home, new Set(ids));
    return figureOf(`failover ${allocations} allocations, ${groups} groups`, samples, {
      extra: {
        allocations,
        groups,
        writes: [...writes].join('/'),
        failoverTransactions: [...transactions].join('/'),
        readBackOnNewOwner: readBack,
        held: readBack === allocations && writes.size === 1 && transactions.size === 1 && transactions.has(1),
        guards: 'on',
      },
    });
  } finally {
    await bench.stop();
  }
};

/** Items of each committed transaction that changed the owner of the recovery's groups. */
const flipsOf = (bench: Bench, report: Recovery): number[] => {
  const moved = report.moves.map((move) => `GRP#${move.group}`);
  return bench.host
    .transactions()
    .filter((t) => t.status === 200 && t.at >= report.startedAt)
    .filter(
      (t) => touches(t.keys, `RES#${report.resource}`) && moved.every((group) => touches(t.keys, group)),
    )
    .map((t) => t.keys.length);
};

const touches = (keys: readonly unknown[], part: string): boolean =>
  keys.some((key) => JSON.stringify(key).includes(part));

const countOn = async (bench: Bench, resource: string, ids: ReadonlySet<string>): Promise<number> => {
  const seen = new Set<string>();
  for await (const allocation of bench.operator.pages('listAllocations', {
    query: { tenant: TENANT, limit: 500 },
  })) {
    if (allocation.resource === resource && ids.has(allocation.id)) seen.add(allocation.id);
  }
  return seen.size;
};
