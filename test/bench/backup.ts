import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { FolderObjects } from '../../infra/local/objects/folder-objects.ts';
import { restore } from '../../infra/local/restore/main.ts';
import { readArguments } from '../../infra/local/restore/options.ts';
import type { Manifest } from '../../lib/schemas/backup.ts';
import { drillBackup } from '../../lib/services/backup/drill.ts';
import { type BackupDeps, newBackupId, takeBackup } from '../../lib/services/backup/take.ts';
import { scanTable } from '../../lib/store/backup/scan.ts';
import { Store } from '../../lib/store/store.ts';
import { dynamodbClient } from '../../lib/store/table/dynamodb-client.ts';
import { BareTable } from './bare-table.ts';
import { type Figure, figureOf } from './figures.ts';
import { allocateMany, type Bench, setUpFleet, startBench, vector } from './rig.ts';
import { seedAllocations } from './seed.ts';
import { loadNow } from './timed.ts';

/** Of the backup unless `--size` says otherwise. */
const ALLOCATIONS = 30_000;
const RESTORED = 10_000;
const HOMES = 20;
const GROUPS = 24;
const CAPACITY = 1_000_000_000;
/** Nothing was written so shortly before, ms. */
const LAG_MS = 1_000;
/** More allocations between the first backup and the second. */
const MORE = 200;

/** A backup of many allocations, a second one that adds to it, and a drill; a restore of fewer into an empty folder. */
export const backup = async (
  progress: (text: string) => void,
  { size = ALLOCATIONS }: { readonly size?: number | undefined } = {},
): Promise<readonly Figure[]> => [
  ...(await withBackups(size, progress, (bench, deps) => takeAndDrill(bench, deps, size))),
  ...(await withBackups(RESTORED, progress, takeAndRestore)),
];

async function withBackups(
  allocations: number,
  progress: (text: string) => void,
  measure: (bench: Bench, deps: BackupDeps, folder: string) => Promise<readonly Figure[]>,
): Promise<readonly Figure[]> {
  const bench = await startBench();
  const folder = mkdtempSync(join(tmpdir(), 'labscape-bench-'));
  try {
    progress(`backup: seeding ${allocations} allocations`);
    await seed(bench, allocations);
    await sleep(LAG_MS);
    progress('backup: measuring');
    return await measure(bench, depsOf(bench, folder), folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
    await bench.stop();
  }
}

async function takeAndDrill(bench: Bench, deps: BackupDeps, allocations: number): Promise<readonly Figure[]> {
  const first = await timedRun(() => takeBackup(deps, newBackupId(deps)));
  await allocateMany(bench, MORE, vector(1));
  await sleep(LAG_MS);
  const second = await timedRun(() => takeBackup(deps, newBackupId(deps)));
  const drilled = await timedRun(() => drillBackup(deps.objects, deps.clock));
  return [
    figureOf(`backup of ${allocations} allocations`, [first.ms], { extra: sizes(first.result) }),
    figureOf(`backup after ${MORE} more`, [second.ms], { extra: sizes(second.result) }),
    figureOf('restore drill in memory', [drilled.ms], { extra: { faults: drilled.result.faults.length } }),
  ];
}

async function takeAndRestore(_: Bench, deps: BackupDeps, folder: string): Promise<readonly Figure[]> {
  await takeBackup(deps, newBackupId(deps));
  const restored = await timedRun(() => restore(readArguments(['--from', folder, '--verify'])));
  const { faults, restored: written } = restored.result;
  return [
    figureOf(
      `restore of ${RESTORED} allocations into an empty folder, read back and checked`,
      [restored.ms],
      {
        extra: {
          load: loadNow(),
          faults: faults.length,
          items: written?.items ?? 0,
          events: written?.events ?? 0,
        },
      },
    ),
  ];
}

async function seed(bench: Bench, allocations: number): Promise<void> {
  const homes = Array.from({ length: HOMES }, (_, n) => `home-${n}`);
  await setUpFleet(bench, 'lab', new Map(homes.map((id) => [id, vector(CAPACITY)])));
  for (const resource of homes)
    await seedAllocations(bench, {
      ...{ resource, labscape: 'lab', groups: GROUPS, demand: vector(1), prefix: resource },
      allocations: allocations / HOMES,
    });
}

function depsOf(bench: Bench, folder: string): BackupDeps {
  const client = dynamodbClient({
    endpoint: bench.host.engine.url,
    region: 'us-east-1',
    credentials: { accessKeyId: 'bench', secretAccessKey: 'bench' },
  });
  const { state, audit } = new BareTable(bench);
  return {
    ...{ store: new Store(client, { state, audit }), lagMs: LAG_MS },
    objects: new FolderObjects(folder, Date.now),
    scan: (table) => scanTable(client, table),
    clock: { now: () => Date.now(), monotonicMs: () => performance.now() },
    chance: { uniform: Math.random, id: randomUUID },
    sleep: async (ms) => void (await sleep(ms)),
  };
}

async function timedRun<T>(run: () => Promise<T>): Promise<{ readonly ms: number; readonly result: T }> {
  const start = performance.now();
  const result = await run();
  return { ms: performance.now() - start, result };
}

const sizes = ({ items, events, counts }: Manifest) => ({
  ...{ load: loadNow(), events: counts['events'] ?? 0 },
  itemsKb: kib(items),
  eventsKb: kib(events),
  heapMb: Math.round(process.memoryUsage().heapUsed / 1024 / 1024),
});

const kib = (parts: Manifest['items']): number =>
  Math.round(parts.reduce((sum, { bytes }) => sum + bytes, 0) / 1024);
