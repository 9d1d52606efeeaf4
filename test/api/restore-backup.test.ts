import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { PutItemCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { restore } from '../../infra/local/restore/main.ts';
import { readArguments } from '../../infra/local/restore/options.ts';
import { applyRestore } from '../../lib/services/backup/apply-restore.ts';
import { loadBackup } from '../../lib/services/backup/load.ts';
import { EPOCH_STEP } from '../../lib/services/backup/raised-epochs.ts';
import { planHere } from '../../lib/services/backup/restore.ts';
import type { RestorePlan, RestoreScope, State } from '../../lib/services/backup/restore-types.ts';
import { keyOf } from '../../lib/services/backup/sorted.ts';
import { BACKUP_LAG_MS } from '../../lib/services/backup/take.ts';
import { stateFaults } from '../../lib/services/backup/verify.ts';
import { keys } from '../../lib/store/keys.ts';
import { type Item, S } from '../../lib/store/table/attributes.ts';
import { dynamodbClient } from '../../lib/store/table/dynamodb-client.ts';
import { type BackupBench, backupBench } from './backup-bench.ts';
import { expectFoldAgrees } from './fold-facts.ts';
import { type Rig, refusalOf, startRig, until } from './rig.ts';
import { newSite, Site } from './site.ts';

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

const raw = (at: Rig) =>
  dynamodbClient({
    endpoint: at.host.engine.url,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  });

const lose = (...items: readonly Item[]): Promise<void> => bench.lose(...items);

async function plan(backup: State, scope: RestoreScope = {}): Promise<RestorePlan> {
  const requester = { actor: 'test', request: 'test' };
  return planHere(bench, backup, {
    id: 'test',
    scope,
    clock: bench.clock,
    lagMs: bench.lagMs ?? 0,
    requester,
  });
}

/** So long that nothing that was done counts as going on. */
const settle = () => sleep((bench.lagMs ?? 0) + 100);

const itemsOf = async (site: Site, resource: string): Promise<Item[]> => {
  const items = await bench.all('state');
  const own = items.find(({ sk }) => sk?.S === `RES#${resource}`);
  const groups = items.filter(
    (item) => item['pk']?.S?.startsWith('GRP#') && item['resource']?.S === resource,
  );
  const ids = new Set(groups.map(({ pk }) => pk?.S?.slice(4)));
  const members = items.filter((item) => item['tenant']?.S === site.tenant && ids.has(item['group']?.S));
  return [...(own === undefined ? [] : [own]), ...groups, ...members];
};

test('a lost resource with its groups and work comes back as the audit has it now, under epochs of its own', async () => {
  const site = await newSite(rig, { resources: 2 });
  const placed = await site.fill(6, 20);
  const backup = await loadBackup(bench.objects, await bench.take());
  // After the backup: one is released, one comes.
  const home = placed[0]?.resource ?? '';
  await site.release(placed[0]?.id ?? '');
  const later = await site.place(15);
  const before = await site.resource(home);
  await settle();
  const items = (await itemsOf(site, home)).filter((item) => item['id']?.S !== later.id);
  await lose(...items);
  expect(stateFaults(await bench.all('state'), await bench.all('audit'))).not.toEqual([]);

  const planned = await plan(backup);
  expect(planned.conflicts).toEqual([]);
  expect(planned.events).toEqual([]);
  expect(planned.newer).toBeGreaterThanOrEqual(2);
  expect(planned.units.map(({ what }) => what)).toEqual([`resource ${home}`]);
  expect((await applyRestore(bench.store, planned)).refused).toEqual([]);

  expect(stateFaults(await bench.all('state'), await bench.all('audit'))).toEqual([]);
  const after = await site.resource(home);
  expect(after).toMatchObject({ used: before.used, groups: before.groups, epoch: before.epoch + EPOCH_STEP });
  await site.expectNothingLost([...placed.slice(1), later]);
  expect((await site.allocation(placed[0]?.id ?? '')).status).toBe('released');
  const again = await plan(backup);
  expect([again.items, again.units, again.events]).toEqual([[], [], []]);
});

test('what an agent says of an epoch before the restore has no effect', async () => {
  const site = await newSite(rig, { resources: 1 });
  const [placed] = await site.fill(1, 20);
  const resource = site.resources[0] ?? '';
  const old = await site.allocation(placed?.id ?? '');
  const backup = await loadBackup(bench.objects, await bench.take());
  await settle();
  await lose(...(await itemsOf(site, resource)));
  await applyRestore(bench.store, await plan(backup));

  const report = async (epoch: number) => {
    const body = {
      ...{ agent: 'agent', epoch: 1 },
      groups: [{ group: old.group ?? '', epoch, running: 1 }],
    };
    await rig.admin.call('report', { params: { resource }, body });
    const item = await bench.store.get(keys.group(old.group ?? ''));
    return [item?.['runEpoch']?.N, item?.['runCount']?.N];
  };
  expect(await report(old.groupEpoch ?? 0)).toEqual(['0', '0']);
  const now = await site.allocation(old.id);
  expect(now.groupEpoch).toBeGreaterThanOrEqual((old.groupEpoch ?? 0) + EPOCH_STEP);
  expect(await report(now.groupEpoch ?? 0)).toEqual([String(now.groupEpoch), '1']);
});

test('a scope is kept to, and an item that was changed by hand is put right', async () => {
  const [one, two] = [await newSite(rig), await newSite(rig)];
  await one.fill(2, 20);
  await two.fill(2, 20);
  const backup = await loadBackup(bench.objects, await bench.take());
  await settle();
  const [mine = '', other = ''] = [one.resources[0], two.resources[0]];
  const client = raw(rig);
  for (const [site, id] of [
    [one, mine],
    [two, other],
  ] as const) {
    const [item] = await itemsOf(site, id);
    const forged = { ...item, usedP: { N: '1' } };
    await client.send(new PutItemCommand({ TableName: bench.store.tables.state, Item: forged }));
  }
  client.destroy();

  const planned = await plan(backup, { labscape: one.labscape });
  expect(planned.units.map(({ what }) => what)).toEqual([`resource ${mine}`]);
  await applyRestore(bench.store, planned);
  expect((await one.resource(mine)).used.processing).toBe(40);
  expect((await two.resource(other)).used.processing).toBe(1);
  await applyRestore(bench.store, await plan(backup, { resource: other }));
  expect(stateFaults(await bench.all('state'), await bench.all('audit'))).toEqual([]);
});

test('what changes while the plan is made, or after it, is left as it is and told', async () => {
  const site = await newSite(rig);
  const placed = await site.fill(3, 20);
  const backup = await loadBackup(bench.objects, await bench.take());
  await settle();
  const resource = site.resources[0] ?? '';
  const [, ...lost] = await itemsOf(site, resource);
  const members = lost.filter((item) => item['id']?.S === placed[0]?.id);
  await lose(...members);
  const client = raw(rig);
  const forged = { ...(await itemsOf(site, resource))[0], usedM: { N: '7' } };
  await client.send(new PutItemCommand({ TableName: bench.store.tables.state, Item: forged }));
  client.destroy();

  const calm = await plan(backup);
  await site.place(5);
  const busy = await plan(backup);
  expect(busy.units).toEqual([]);
  expect(busy.conflicts).toContain(
    `resource ${resource} changes just now and is newer than the plan: it is left, plan again`,
  );
  const late = await applyRestore(bench.store, calm);
  expect(late.refused).toEqual([`resource ${resource} was changed by somebody else meanwhile`]);

  await settle();
  const planned = await plan(backup);
  expect(planned.conflicts).toEqual([]);
  await applyRestore(bench.store, planned);
  expect(stateFaults(await bench.all('state'), await bench.all('audit'))).toEqual([]);
});

test('a backup whose history is another is refused', async () => {
  await newSite(rig);
  const backup = await loadBackup(bench.objects, await bench.take());
  const [first, ...rest] = backup.events;
  if (first === undefined) throw new Error('a backup without events');
  const forged = { ...backup, events: [{ ...first, hash: 'f'.repeat(64) }, ...rest] };
  await expect(plan(forged)).rejects.toThrow(
    `${first.entity}/${first.rev}: the backup and the live audit differ`,
  );
});

test('the checker of a whole state sees each kind of damage', async () => {
  const site = await newSite(rig);
  await site.fill(2, 20);
  await settle();
  const [items, events] = [await bench.all('state'), await bench.all('audit')];
  expect(stateFaults(items, events)).toEqual([]);
  const [resource, group, member] = await itemsOf(site, site.resources[0] ?? '');
  const damaged = (item: Item | undefined, more: Item): Item[] =>
    items.map((one) => (item !== undefined && keyOf(one) === keyOf(item) ? { ...one, ...more } : one));
  const cases: readonly (readonly [string, readonly Item[]])[] = [
    ['resource', damaged(resource, { usedP: { N: '1' } })],
    ['resource', damaged(resource, { epoch: { N: '9' } })],
    ['resource', damaged(resource, { usedP: { N: '9999' } })],
    ['edited', damaged(resource, { head: S('0'.repeat(64)) })],
    ['group', damaged(group, { count: { N: '7' } })],
    ['group', damaged(group, { resource: S('elsewhere') })],
    ['allocation', damaged(member, { state: S('released') })],
    ['allocation', items.filter((item) => item !== member && keyOf(item) !== keyOf(member ?? {}))],
  ];
  for (const [word, changed] of cases) expect(stateFaults(changed, events).join('\n')).toContain(word);
  expect(stateFaults(items, events.slice(0, -1))).not.toEqual([]);
});

test('a recovery that runs when the backup is taken is called off by the restore, and another one ends it', async () => {
  const site = await newSite(rig, { resources: 3, policy: { restoreWaitMs: 600_000 } });
  const placed = await site.fill(4, 20);
  const [failed = ''] = site.resources;
  const { recovery } = await site.fail(failed);
  await site.recovery(recovery, ({ nextPhase }) => nextPhase === 'RecoverData');
  const waiting = await rig.admin.call('requestBackup', { body: { reason: 'test' } });
  const id = await bench.take();
  await site.answerRestore(failed, recovery, 'restored');
  await site.ended(recovery);

  const data = mkdtempSync(join(tmpdir(), 'labscape-restored-'));
  try {
    const args = ['--from', bench.folder, '--backup', id, '--data', data];
    const dry = await restore(readArguments(args));
    expect(dry.restored).toBeUndefined();
    const done = await restore(readArguments([...args, '--apply']));
    expect([done.faults, done.plan.conflicts, done.restored?.refused]).toEqual([[], [], []]);
    const again = await restore(readArguments([...args, '--apply']));
    expect(again.restored).toMatchObject({ events: 0, items: 0, units: 0 });

    const other = await startRig(data);
    try {
      const called = await other.admin.call('getRecovery', { params: { recovery } });
      expect(called).toMatchObject({ status: 'cancelled', reason: expect.stringContaining(id) });
      const { items } = await other.admin.call('listBackups');
      expect(items.find((run) => run.id === waiting.id)).toMatchObject({ status: 'failed' });
      // The sweep of the start finds it failed without a recovery.
      const there = new Site(other, site.id, site.labscape);
      const next = await until('another recovery', async () => {
        const { recovery: found } = await there.resource(failed);
        return found;
      });
      expect(next).not.toBe(recovery);
      await there.recovery(next, ({ nextPhase }) => nextPhase === 'RecoverData');
      await there.answerRestore(failed, next, 'restored');
      expect((await there.ended(next)).status).toBe('done');
      for (const { id: allocation } of placed) {
        const query = { tenant: site.tenant };
        const found = await other.admin.call('getAllocation', { params: { allocation }, query });
        expect(found.status).toBe('placed');
      }
      const body = { tenant: site.tenant, demand: { processing: 5, memory: 0, storage: 0, network: 0 } };
      const constraints = { labscapes: [site.labscape] };
      const fresh = await other.admin.call('allocate', {
        body: { ...body, constraints },
        headers: { 'idempotency-key': 'after-the-restore' },
      });
      expect(fresh.status).toBe('placed');
      await expectFoldAgrees(other);
    } finally {
      await other.stop();
    }
  } finally {
    rmSync(data, { recursive: true, force: true });
  }
}, 90_000);

test('restored and backed up again, it restores again', async () => {
  const first = await loadBackup(bench.objects, await bench.take());
  expect(first.events.some(({ type }) => type === 'resource.restored')).toBe(true);
  const done = await restore(readArguments(['--from', bench.folder, '--verify']));
  expect([done.faults, done.plan.conflicts]).toEqual([[], []]);
});

test("the program says what it would restore, and what it writes is its owner's alone", async () => {
  const data = mkdtempSync(join(tmpdir(), 'labscape-restored-'));
  const argv = ['infra/local/restore/main.ts', '--from', bench.folder, '--data', data];
  // A shell's usual mask.
  const umask = process.umask(0o022);
  try {
    const env = { ...process.env, NODE_OPTIONS: '' };
    const { stdout } = await promisify(execFile)(process.execPath, argv, { env });
    expect(stdout).toMatch(/^To restore under new epochs:$/m);
    expect(stdout).toContain('Nothing was written');
    const modes = readdirSync(data).map((name) => statSync(join(data, name)).mode & 0o077);
    expect(modes.filter((mode) => mode !== 0)).toEqual([]);
    expect(modes).not.toEqual([]);
  } finally {
    process.umask(umask);
    rmSync(data, { recursive: true, force: true });
  }
});

test('two tables are as good as a backup of ten seconds before the time they are of', async () => {
  await newSite(rig);
  await settle();
  // Younger than the point: it comes along with its event.
  await newSite(rig, { resources: 1 });
  const { state, audit } = bench.store.tables;
  const at = new Date(Date.now() + BACKUP_LAG_MS - (bench.lagMs ?? 0)).toISOString();
  const args = [
    '--from',
    `tables:${state},${audit}`,
    '--at',
    at,
    '--endpoint',
    rig.host.engine.url,
    '--verify',
  ];
  const done = await restore(readArguments(args));
  expect([done.faults, done.plan.conflicts]).toEqual([[], []]);
  expect(done.restored?.units).toBeGreaterThan(0);
});

test.each([
  [['--data', 'x'], '--from'],
  [['--from', 'x'], 'one target'],
  [['--from', 'x', '--data', 'y', '--verify'], 'one target'],
  [['--from', 'x', '--state', 'y'], '--audit'],
  [['--from', 'x', '--data', 'y', '--at', 'noon'], 'noon'],
  [['--from', 'x', '--data', 'y', '--backup', '../z'], '../z'],
  [['--from', 'tables:a', '--data', 'y', '--at', '2026-11-21'], 'tables:a'],
  [['--from', 'tables:a,b', '--data', 'y'], '--at'],
  [['--from', 'x', '--data', 'y', '--labscape', 'a', '--resource', 'b'], '--resource'],
])('%j is not understood', (args, word) => {
  expect(() => readArguments(args)).toThrow(word);
});

test('a data folder that a host has open is refused', async () => {
  const args = ['--from', bench.folder, '--data', rig.host.dataDir, '--apply'];
  await expect(restore(readArguments(args))).rejects.toThrow('is in use');
  expect((await refusalOf(rig.admin.call('getResource', { params: { resource: 'nobody' } }))).status).toBe(
    404,
  );
});
