import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import * as z from 'zod';
import { FolderObjects } from '../../infra/local/objects/folder-objects.ts';
import { BackupRun } from '../../lib/schemas/backup.ts';
import { CLAIM_MS, ClaimLost } from '../../lib/services/backup/claim.ts';
import { keepBackups } from '../../lib/services/backup/keep.ts';
import { loadBackup } from '../../lib/services/backup/load.ts';
import { listBackups, manifestKey, readManifest, writeManifest } from '../../lib/services/backup/manifest.ts';
import { BackupDamaged } from '../../lib/services/backup/parts.ts';
import { type BackupDeps, newBackupId, takeBackup } from '../../lib/services/backup/take.ts';
import { type BackupPolicy, takeTurn } from '../../lib/services/backup/turn.ts';
import { claimBackups } from '../../lib/store/backup/runs.ts';
import type { ObjectStore } from '../../lib/store/objects.ts';
import { Store } from '../../lib/store/store.ts';
import { dynamodbClient } from '../../lib/store/table/dynamodb-client.ts';
import { StoreUnavailable } from '../../lib/store/table/errors.ts';
import { type BackupBench, backupBench } from './backup-bench.ts';
import { type Rig, startRig } from './rig.ts';
import { newSite } from './site.ts';

const BUCKET = 'labscape-local-state-backups';
const DAY_MS = 86_400_000;
const Turned = z.object({
  runs: z.array(BackupRun),
  removed: z.array(z.string()),
  backupAgeMs: z.number().optional(),
});

let rig: Rig;
let bench: BackupBench;

beforeAll(async () => {
  rig = await startRig();
  bench = backupBench(rig);
  const site = await newSite(rig, { resources: 2 });
  await site.fill(4, 20);
});
afterAll(async () => {
  bench.close();
  await rig.stop();
});

const turn = async () => Turned.parse(await rig.invoke('backup', {}));
const stored = () => new FolderObjects(join(rig.host.dataDir, 'objects', BUCKET), Date.now);

test('the function takes what is due and what was asked for, drills it, and the API tells of both', async () => {
  const first = await turn();
  expect(first.runs.map(({ kind, status }) => [kind, status])).toEqual([
    ['backup', 'done'],
    ['drill', 'done'],
  ]);
  expect((await turn()).runs).toEqual([]);

  const asked = await rig.admin.call('requestBackup', { body: { kind: 'drill', reason: 'test' } });
  expect(asked.status).toBe('requested');
  expect((await turn()).runs).toMatchObject([{ id: asked.id, kind: 'drill', status: 'done', why: 'test' }]);

  const { items, lastBackupAt, lastDrillAt } = await rig.admin.call('listBackups');
  expect(items.filter(({ kind }) => kind === 'backup')).toMatchObject([
    { status: 'done', counts: { resources: expect.any(Number) }, ms: expect.any(Number) },
  ]);
  expect(lastBackupAt).toBeLessThanOrEqual(lastDrillAt ?? 0);
  const drill = items.find(({ id }) => id === asked.id);
  expect(drill?.dataAgeMs).toBeGreaterThanOrEqual(10_000);
  const events = await rig.admin.call('verifyChain', { query: { entity: `backup#${asked.id}` } });
  expect(events).toMatchObject({ verified: true, events: 2 });
});

test('no more than a few may wait at once', async () => {
  const ask = () => rig.admin.call('requestBackup', { body: { kind: 'drill', reason: 'test' } });
  for (let n = 0; n < 5; n += 1) await ask();
  await expect(ask()).rejects.toMatchObject({ status: 409 });
  expect((await turn()).runs).toHaveLength(5);
});

test('two turns at once are one', async () => {
  await rig.admin.call('requestBackup', { body: { reason: 'test' } });
  const both = await Promise.all([turn(), turn()]);
  expect(both.flatMap(({ runs }) => runs)).toHaveLength(1);
});

/** A store of which a test breaks something. */
const during = (objects: ObjectStore, more: Partial<ObjectStore>): ObjectStore => ({
  put: (key, body, options) => objects.put(key, body, options),
  get: (key) => objects.get(key),
  list: (prefix, after) => objects.list(prefix, after),
  remove: (key) => objects.remove(key),
  ...more,
});

test('one that is killed in the middle, wherever that is, leaves no backup behind, and the next is whole', async () => {
  const before = await listBackups(bench.objects);
  let puts = 0;
  await takeBackup(
    {
      ...bench,
      objects: during(bench.objects, {
        put: async () => {
          puts += 1;
        },
      }),
    },
    newBackupId(bench),
  );
  expect(puts).toBeGreaterThan(1);
  for (let survived = 0; survived < puts; survived += 1) {
    let left = survived;
    const objects = during(bench.objects, {
      put: async (key, body) => {
        if (left === 0) throw new Error('killed');
        left -= 1;
        await bench.objects.put(key, body);
      },
    });
    await expect(takeBackup({ ...bench, objects }, newBackupId(bench))).rejects.toThrow('killed');
  }
  expect(await listBackups(bench.objects)).toEqual(before);
  const id = await bench.take();
  expect(await listBackups(bench.objects)).toEqual([id, ...before]);
});

test('each damaged, missing or foreign part, and a changed manifest, is refused and named', async () => {
  const id = await bench.take();
  const manifest = await readManifest(bench.objects, id);
  const parts = [...manifest.items, ...manifest.events, ...manifest.tail];
  const path = (key: string) => join(bench.folder, key);
  const refusal = async (): Promise<string> => {
    const error = await loadBackup(bench.objects, id).catch((thrown: unknown) => thrown);
    if (!(error instanceof BackupDamaged)) throw new Error(`not refused: ${error}`);
    return error.message;
  };
  const damaged = async (key: string, body: Buffer): Promise<string> => {
    const whole = readFileSync(path(key));
    writeFileSync(path(key), body);
    const why = await refusal();
    writeFileSync(path(key), whole);
    return why;
  };
  for (const { key } of parts) {
    const whole = readFileSync(path(key));
    const flipped = Buffer.from(whole);
    flipped[20] = (flipped[20] ?? 0) ^ 1;
    expect(await damaged(key, flipped)).toContain(key);
    expect(await damaged(key, whole.subarray(0, -1))).toContain(key);
  }
  const key = manifestKey(id);
  const text = readFileSync(path(key), 'utf8');
  expect(await damaged(key, Buffer.from(text.replace(/"point": \d/, '"point": 9')))).toContain(key);
  expect(await damaged(key, Buffer.from(text.slice(0, -9)))).toContain(key);
  // Whoever can reckon digests as well still cannot leave out events.
  const { digest: _, version: __, ...draft } = manifest;
  await writeManifest(bench.objects, { ...draft, events: [] });
  expect(await refusal()).toContain('events');
  writeFileSync(path(key), text);
  await loadBackup(bench.objects, id);

  const [first] = manifest.items;
  await bench.objects.remove(first?.key ?? '');
  expect(await refusal()).toBe(`${first?.key} is missing`);
  expect(await bench.take()).not.toBe(id);
});

test('old backups go, with what only they refer to; the newest good one and what is not ours never do', async () => {
  const objects = stored();
  const ids = await listBackups(objects);
  expect(ids.length).toBeGreaterThanOrEqual(2);
  const [newest = '', ...older] = ids;
  await objects.put('backups/2026-01-01t00-00-00-00000000/items-0001.jsonl.gz', Buffer.from('half'));
  await objects.put('events/2026-01-01t00-00-00-00000000-0001.jsonl.gz', Buffer.from('half'));
  await objects.put('notes/readme', Buffer.from('not ours'));

  expect(await keepBackups(objects, { keep: 1, days: 1 }, Date.now())).toEqual([]);
  const later = Date.now() + 10 * DAY_MS;
  expect(await keepBackups(objects, { keep: 100, days: 1 }, later)).toEqual([]);
  expect(await keepBackups(objects, { keep: 1, days: 1 }, later)).toEqual(older);
  expect(await listBackups(objects)).toEqual([newest]);
  await loadBackup(objects, newest);
  const keys = [...(await objects.list('backups/')), ...(await objects.list('events/'))];
  expect(keys.filter((key) => key.includes('2026-01-01'))).toEqual([]);
  expect(await objects.get('notes/readme')).toBeDefined();
});

test('when the newest is damaged, the last good one stays however old', async () => {
  const other = await startRig();
  const there = backupBench(other);
  try {
    await newSite(other);
    const good = await there.take();
    const bad = await there.take();
    writeFileSync(join(there.folder, manifestKey(bad)), '{}');
    const later = Date.now() + 100 * DAY_MS;
    expect(await keepBackups(there.objects, { keep: 1, days: 1 }, later)).toEqual([bad]);
    await loadBackup(there.objects, good);
  } finally {
    there.close();
    await other.stop();
  }
});

test('a drill of a damaged backup fails, says why, and is no good drill', async () => {
  const policy: BackupPolicy = { everyMinutes: 10_000, drillEveryMinutes: 0, keep: 9, days: 9 };
  const [newest = ''] = await listBackups(bench.objects);
  const manifest = await readManifest(bench.objects, newest);
  const part = manifest.items[0]?.key ?? '';
  const whole = readFileSync(join(bench.folder, part));
  writeFileSync(join(bench.folder, part), 'nothing');
  const { lastDrillAt } = await rig.admin.call('listBackups');
  const { runs } = await takeTurn(bench, policy, 'test');
  writeFileSync(join(bench.folder, part), whole);
  expect(runs).toMatchObject([{ kind: 'drill', status: 'failed', why: expect.stringContaining(part) }]);
  expect((await rig.admin.call('listBackups')).lastDrillAt).toBe(lastDrillAt);
});

test('what is asked for and cannot be taken says when it was tried last, and what is in the way, until it is taken', async () => {
  const policy: BackupPolicy = { everyMinutes: 10_000, drillEveryMinutes: 10_000, keep: 9, days: 9 };
  const full = Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
  const objects = during(bench.objects, {
    put: () => Promise.reject(new StoreUnavailable('putObject: InternalError', { cause: full })),
  });
  const asked = [
    await rig.admin.call('requestBackup', { body: { reason: 'first' } }),
    await rig.admin.call('requestBackup', { body: { kind: 'drill', reason: 'behind it' } }),
  ];
  const shown = async () => {
    const { items } = await rig.admin.call('listBackups');
    return asked.map(({ id }) => items.find((one) => one.id === id));
  };
  const since = Date.now();

  await expect(takeTurn({ ...bench, objects }, policy, 'test')).rejects.toThrow(StoreUnavailable);
  const why = 'putObject: InternalError: no space left on device';
  for (const run of await shown()) {
    expect(run).toMatchObject({ status: 'requested', lastTry: { why } });
    expect(run?.lastTry?.at).toBeGreaterThanOrEqual(since);
  }

  await takeTurn(bench, policy, 'test');
  for (const run of await shown()) {
    expect(run?.status).toBe('done');
    expect(run?.lastTry).toBeUndefined();
  }
});

test('a claim that its holder never gave back runs out', async () => {
  const policy: BackupPolicy = { everyMinutes: 0, drillEveryMinutes: 10_000, keep: 9, days: 9 };
  expect(await claimBackups(bench.store, 'test', Date.now(), Date.now() + 900_000)).toBe(true);
  expect((await takeTurn(bench, policy, 'test')).runs).toEqual([]);
  const later = { ...bench, clock: { ...bench.clock, now: () => Date.now() + 900_001 } };
  expect((await takeTurn(later, policy, 'test')).runs[0]).toMatchObject({ kind: 'backup', status: 'done' });
});

test('a claim whose giving back meets another write is given back all the same, and the next turn takes its backup', async () => {
  const policy: BackupPolicy = { everyMinutes: 0, drillEveryMinutes: 10_000, keep: 9, days: 9 };
  const client = dynamodbClient({
    endpoint: rig.host.engine.url,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  });
  let conflicts = 0;
  const isRelease = (input: object): boolean => JSON.stringify(input).includes('"CLAIM"') && conflicts < 4;
  const meets = (): Error => Object.assign(new Error('meets'), { name: 'TransactionConflictException' });
  client.middlewareStack.add(
    (next) => async (args) => {
      const values = JSON.stringify(args.input);
      if (!isRelease(args.input) || !values.includes('{"N":"0"}')) return next(args);
      conflicts += 1;
      // The last one did what it was asked to, and its answer is lost.
      if (conflicts === 4) await next(args);
      throw meets();
    },
    { step: 'initialize' },
  );
  const store = new Store(client, bench.store.tables);
  // Whoever had it before gives it up for the time of this test.
  const clock = { ...bench.clock, now: () => Date.now() + 2_000_000 };
  const deps = { ...bench, store, clock };

  const first = await takeTurn(deps, policy, 'test');
  const second = await takeTurn(deps, policy, 'test');
  client.destroy();

  expect(conflicts).toBe(4);
  for (const { runs } of [first, second]) expect(runs).toMatchObject([{ kind: 'backup', status: 'done' }]);
});

describe('a claim', () => {
  const policy: BackupPolicy = { everyMinutes: 0, drillEveryMinutes: 10_000, keep: 9, days: 9 };
  /** After all that the tests before have written. */
  let ahead = 3_000_000;
  const now = () => Date.now() + ahead;
  const at = () => ({ ...bench, clock: { ...bench.clock, now } });
  const done = [{ kind: 'backup', status: 'done' }];

  test('of a function that died ends minutes after its last word, not when its time would have been over', async () => {
    const reading = await new Promise<boolean>((resolve) => {
      const next = () => {
        resolve(true);
        return new Promise<never>(() => {});
      };
      void takeTurn({ ...at(), scan: () => ({ [Symbol.asyncIterator]: () => ({ next }) }) }, policy, 'test');
    });
    expect(reading).toBe(true);
    expect((await takeTurn(at(), policy, 'test')).runs).toEqual([]);
    ahead += 4 * 60_000;
    expect((await takeTurn(at(), policy, 'test')).runs).toMatchObject(done);
  });

  test('holds as long as its holder works, however long that takes', async () => {
    let taken = 0;
    const slow: BackupDeps = {
      ...at(),
      scan: async function* (table) {
        for await (const page of bench.scan(table)) {
          // As if a page took so long, in which another turn looks.
          for (let part = 0; part < 4; part += 1) {
            yield part === 0 ? page : [];
            ahead += CLAIM_MS / 3;
          }
          taken += Number(await claimBackups(bench.store, 'test', now(), now() + 1));
        }
      },
    };
    expect((await takeTurn(slow, policy, 'test')).runs).toMatchObject(done);
    expect(taken).toBe(0);
    expect((await takeTurn(at(), policy, 'test')).runs).toMatchObject(done);
  });

  test('that somebody else has by now ends the run of who had it', async () => {
    const late: BackupDeps = {
      ...at(),
      scan: async function* (table) {
        for await (const page of bench.scan(table)) {
          ahead += CLAIM_MS + 1;
          await claimBackups(bench.store, 'test', now(), now() + 1);
          yield page;
        }
      },
    };
    await expect(takeTurn(late, policy, 'test')).rejects.toThrow(ClaimLost);
    ahead += 2;
    expect((await takeTurn(at(), policy, 'test')).runs).toMatchObject(done);
  });
});
