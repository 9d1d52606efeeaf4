import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { applyRestore } from '../../lib/services/backup/apply-restore.ts';
import { loadBackup } from '../../lib/services/backup/load.ts';
import { planRestore } from '../../lib/services/backup/restore-plan.ts';
import { newBackupId, takeBackup } from '../../lib/services/backup/take.ts';
import { stateFaults } from '../../lib/services/backup/verify.ts';
import { type BackupBench, backupBench } from './backup-bench.ts';
import { expectFoldAgrees } from './fold-facts.ts';
import { type Rig, startRig } from './rig.ts';
import { newSite, type Site } from './site.ts';

let rig: Rig;
let bench: BackupBench;

beforeAll(async () => {
  rig = await startRig();
  bench = backupBench(rig);
});
afterAll(async () => {
  bench.close();
  await rig.stop();
});

const origin = () => ({ actor: 'test', request: 'test', at: Date.now() });

/** Allocates, renews and releases until it is told to stop; fails one resource on the way. */
function load(site: Site): { stop: () => Promise<number> } {
  let going = true;
  let calls = 0;
  const lane = async (): Promise<void> => {
    while (going) {
      const placed = await site.place(10);
      await site.release((await site.place(5, { leaseMs: 600_000 })).id);
      if (calls % 3 === 0) await site.release(placed.id);
      calls += 1;
    }
  };
  const lanes = [lane(), lane(), site.failAndRestore(site.resources[0] ?? '')];
  return {
    stop: async () => {
      going = false;
      await Promise.all(lanes);
      return calls;
    },
  };
}

test('a backup under load holds the state as the audit folds to at its point', async () => {
  const site = await newSite(rig, { resources: 4 });
  await site.fill(8, 20);
  await bench.take();
  const work = load(site);
  const first = await takeBackup(bench, newBackupId(bench));
  const second = await takeBackup(bench, newBackupId(bench));
  const third = await bench.take();
  expect(await work.stop()).toBeGreaterThan(0);

  for (const id of [first.id, second.id, third]) {
    const { items, events, manifest } = await loadBackup(bench.objects, id);
    expect(stateFaults(items, events)).toEqual([]);
    expect(manifest.counts['resources']).toBeGreaterThanOrEqual(4);
  }
  const { manifest } = await loadBackup(bench.objects, third);
  expect(manifest.events.slice(0, second.events.length)).toEqual(second.events);
});

test('it restores into an empty control plane that holds every invariant, and works', async () => {
  await rig.invoke('sweep', {});
  const id = await bench.take();
  const backup = await loadBackup(bench.objects, id);
  const other = await startRig();
  const there = backupBench(other);
  try {
    const live = { items: [], events: [] };
    const plan = planRestore({ id, backup, live, point: Date.now(), scope: {}, origin: origin() });
    const restored = await applyRestore(there.store, plan);
    expect(restored.refused).toEqual([]);
    expect(plan.conflicts).toEqual([]);
    expect(stateFaults(await there.all('state'), await there.all('audit'))).toEqual([]);
    await expectFoldAgrees(other);
  } finally {
    there.close();
    await other.stop();
  }
});
