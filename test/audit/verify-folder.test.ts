import { spawnSync } from 'node:child_process';
import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ROOT } from '../../infra/bundle.ts';
import { HostError } from '../../infra/local/errors.ts';
import { SigningKeys } from '../../infra/local/kms/signing-keys.ts';
import { FolderObjects } from '../../infra/local/objects/folder-objects.ts';
import { verifyFolder } from '../../infra/local/verify/verify-folder.ts';
import { hashEvent, headOf, nextEvent } from '../../lib/audit/event.ts';
import { sealedBytes, signedSeal } from '../../lib/audit/seal.ts';
import { keyFromSpki, type PublicSealKey } from '../../lib/audit/seal-key.ts';
import type { Seal } from '../../lib/schemas/seal.ts';
import { archiveKeys } from '../../lib/services/trail/seal-archive.ts';
import { sealDue } from '../../lib/services/trail/sealing.ts';
import { putEvent } from '../../lib/store/events.ts';
import { Store } from '../../lib/store/store.ts';
import { bareStore, happenedBefore } from '../api/old-events.ts';
import { type Rig, startRig } from '../api/rig.ts';
import { newSite, type Site } from '../api/site.ts';
import { temporaryFolder } from '../infra/support.ts';
import { folderSigner, MINUTE_MS } from './sealing-rig.ts';
import { type Mallory, verifyAfter } from './tampering.ts';

const folder = temporaryFolder();
const dataDir = join(folder.path, 'data');
let site: Site;
let placed: string;
let publicKey: PublicSealKey;
let bucket: string;

/** Seals the host's events with its own key into its own archive, as its sealer would do half an hour later. */
async function sealAsIfLater(rig: Rig): Promise<void> {
  const { store, close } = bareStore(rig);
  const keys = new SigningKeys(join(dataDir, 'seal-keys.json'));
  const signer = folderSigner(keys, rig.host.template.signingKeys);
  bucket = rig.host.template.buckets.find(({ name }) => name.endsWith('-archive'))?.name ?? '';
  const clock = { now: () => Date.now() + 30 * MINUTE_MS, monotonicMs: () => 0 };
  const objects = new FolderObjects(join(dataDir, 'objects', bucket), clock.now);
  await sealDue({ store, objects, signer, clock, retainMs: 60 * MINUTE_MS });
  [publicKey] = (await signer.keys()) as [PublicSealKey];
  close();
}

beforeAll(async () => {
  const rig = await startRig(dataDir);
  for (const [name, minutes] of [
    ['ada', 50],
    ['bob', 40],
    ['cyd', 30],
  ] as const)
    await happenedBefore(rig, [name, `${name}-too`], minutes * MINUTE_MS);
  site = await newSite(rig, { resources: 3 });
  const [first] = await site.fill(6, 60);
  placed = first?.id ?? '';
  await site.failAndRestore(site.resources[0] ?? '');
  await site.activate(site.resources[0] ?? '');
  await site.release((await site.place(10)).id);
  await sealAsIfLater(rig);
  await rig.stop();
}, 120_000);
afterAll(() => folder.remove());

const allocation = () => `allocation#${site.tenant}#${placed}`;
const resource = () => `resource#${site.resources[0]}`;
const named = (faults: readonly { check: string; item: string; fault: string }[]) =>
  faults.map(({ check, item, fault }) => `${check}: ${item} ${fault}`);
/** What is found after somebody was there; always with the key that the auditor holds. */
const found = async (tamper: (mallory: Mallory) => Promise<void>): Promise<string[]> =>
  named((await verifyAfter(dataDir, tamper, { publicKey })).faults);

const SEAL = 3;
const sealOf = async (mallory: Mallory, number: number): Promise<Seal> =>
  JSON.parse((await mallory.item('seal', number))['body']?.S ?? '');
const putSeal = async (mallory: Mallory, seal: Seal): Promise<void> => {
  const item = await mallory.item('seal', SEAL);
  await mallory.put('audit', { ...item, rev: { N: String(seal.number) }, body: { S: JSON.stringify(seal) } });
};
/** The file of an object of the archive. */
const inArchive = (mallory: Mallory, key: string): string =>
  join(mallory.folder, 'objects', bucket, ...key.split('/'));
const windowFile = (mallory: Mallory, number: number): string => {
  const dir = inArchive(mallory, archiveKeys.windows);
  const name = readdirSync(dir).find((file) => file.startsWith(String(number).padStart(12, '0')));
  return join(dir, name ?? '');
};

describe('a folder that nobody was at', () => {
  test('verifies, with every kind of thing in it', async () => {
    const result = await verifyFolder({ dataDir, publicKey });
    expect(named(result.faults)).toEqual([]);
    expect(result).toMatchObject({ verified: true, resources: 3, allocations: 7, unsealed: 0, waiting: 0 });
    expect(result.seals).toBeGreaterThanOrEqual(4);
    expect(result.events).toBeGreaterThanOrEqual(20);
  });

  test('is not changed by it', async () => {
    const digest = () =>
      createHash('sha256')
        .update(readFileSync(join(dataDir, 'state.db')))
        .digest('hex');
    const before = digest();
    await verifyFolder({ dataDir });
    expect(digest()).toBe(before);
    expect(readdirSync(dataDir)).not.toContain('host.lock');
  });
});

describe('found, with the item by name, is', () => {
  test('an edit', async () => {
    const faults = await found(async (mallory) =>
      mallory.set('audit', await mallory.item(allocation(), 1), 'actor', { S: 'nobody' }),
    );
    expect(faults).toEqual([`chains: ${allocation()}/1 edited`]);
  });

  test('an edit whose hash was made to fit, and the head with it', async () => {
    const faults = await found(async (mallory) => {
      const [event] = await mallory.chain(allocation());
      if (event === undefined) throw new Error('no event');
      const edited = { ...event, actor: 'nobody' };
      const item = await mallory.item(allocation(), 1);
      const hash = { S: hashEvent(edited) };
      await mallory.put('audit', { ...item, actor: { S: 'nobody' }, hash });
      await mallory.set('state', await mallory.state(`ALLOC#${placed}`), 'head', hash);
    });
    expect(faults).toEqual([`seals: ${allocation()}/1 replaced`]);
  });

  test('an edit of what an event says of the amount', async () => {
    const faults = await found(async (mallory) => {
      const item = await mallory.item(allocation(), 1);
      const body = (item['body']?.S ?? '').replace('"processing":60', '"processing":61');
      await mallory.set('audit', item, 'body', { S: body });
    });
    expect(faults).toContain(`chains: ${allocation()}/1 edited`);
    expect(faults).toContain(`state: allocation ${site.tenant}#${placed} changed`);
  });

  test('a deletion', async () => {
    const faults = await found((mallory) => mallory.remove(resource(), 2));
    expect(faults).toContain(`chains: ${resource()}/2 missing`);
    expect(faults).toContain(`seals: ${resource()}/2 deleted`);
  });

  test('the deletion of a whole chain that no item remembers', async () => {
    const faults = await found((mallory) => mallory.remove('principal#ada', 1));
    expect(faults).toEqual(['seals: principal#ada/1 deleted']);
  });

  test('two events that changed places', async () => {
    const faults = await found(async (mallory) => {
      const [two, three] = [await mallory.item(resource(), 2), await mallory.item(resource(), 3)];
      await mallory.put('audit', { ...two, rev: { N: '3' } });
      await mallory.put('audit', { ...three, rev: { N: '2' } });
    });
    for (const rev of [2, 3]) {
      expect(faults).toContain(`chains: ${resource()}/${rev} edited`);
      expect(faults).toContain(`seals: ${resource()}/${rev} replaced`);
    }
  });

  test('a chain cut off at its end', async () => {
    let last = 0;
    const cut = async (mallory: Mallory) => {
      last = (await mallory.chain(resource())).length;
      await mallory.remove(resource(), last);
    };
    const faults = await found(cut);
    expect(faults).toContain(`chains: ${resource()}/${last} truncated`);
    // And when the head was cut with it.
    const withHead = await found(async (mallory) => {
      await cut(mallory);
      const before = (await mallory.chain(resource())).at(-1);
      const item = await mallory.state(`RES#${site.resources[0]}`);
      await mallory.set('state', item, 'rev', { N: String(before?.rev) });
      await mallory.set('state', item, 'head', { S: before?.hash ?? '' });
    });
    expect(withHead).toContain(`seals: ${resource()}/${last} deleted`);
  });

  test('an event that was never written', async () => {
    let rev = 0;
    const faults = await found(async (mallory) => {
      const last = (await mallory.chain(resource())).at(-1);
      if (last === undefined) throw new Error('no event');
      rev = last.rev + 1;
      const origin = { actor: 'mallory', request: 'none', at: Date.now() };
      const event = nextEvent(resource(), headOf(last), origin, 'resource.acknowledged', {});
      await new Store(mallory.client, mallory.tables).transact([
        putEvent(new Store(mallory.client, mallory.tables), event),
      ]);
    });
    expect(faults).toEqual([`chains: ${resource()}/${rev} foreign`]);
  });

  test.each([
    [
      'what a resource holds',
      () => `RES#${site.resources[1]}`,
      'usedP',
      () => `resource ${site.resources[1]}`,
    ],
    ["an allocation's demand", () => `ALLOC#${placed}`, 'demP', () => `allocation ${site.tenant}#${placed}`],
  ])('a hand that changed %s', async (_, sk, name, item) => {
    const faults = await found(async (mallory) => {
      const state = await mallory.state(sk());
      expect(state).toHaveProperty(name);
      await mallory.set('state', state, name, { N: '1' });
    });
    expect(faults).toContain(`state: ${item()} changed`);
  });

  test('a hand that changed who owns a group', async () => {
    let group = '';
    const faults = await found(async (mallory) => {
      group = String((await mallory.chain(allocation()))[0]?.body['group']);
      await mallory.set('state', await mallory.state(`GRP#${group}`), 'resource', {
        S: site.resources[2] ?? '',
      });
    });
    expect(faults.join('\n')).toMatch(new RegExp(`state: (group ${group}|allocation .*) changed`));
  });

  test('a seal that was deleted: from the middle, and the last one', async () => {
    expect(await found((mallory) => mallory.remove('seal', SEAL))).toContain(`seals: seal ${SEAL} missing`);
    let last = 0;
    const faults = await found(async (mallory) => {
      last = (await mallory.items('audit')).filter((item) => item['entity']?.S === 'seal').length;
      await mallory.remove('seal', last);
    });
    expect(faults).toContain(`seals: seal ${last} missing`);
    // With its copy gone as well, what was decided on is left, and the one before.
    const both = await found(async (mallory) => {
      for (const number of [last, last - 1]) {
        await mallory.remove('seal', number);
        rmSync(inArchive(mallory, archiveKeys.seal(number)));
      }
    });
    expect(both).toContain(`seals: seal ${last} missing`);
  });

  test('a seal that was changed', async () => {
    const faults = await found(async (mallory) => {
      const seal = await sealOf(mallory, SEAL);
      await putSeal(mallory, { ...seal, count: seal.count + 1 });
    });
    expect(faults).toEqual(
      expect.arrayContaining([`seals: seal ${SEAL} edited`, `seals: seal ${SEAL} forged`]),
    );
  });

  test('a seal that somebody else signed, in the place of one and behind the last', async () => {
    const { privateKey, publicKey: foreign } = generateKeyPairSync('ed25519');
    const own = keyFromSpki(foreign.export({ type: 'spki', format: 'der' }));
    const forged = (body: Seal): Seal => signedSeal(body, sign(null, sealedBytes(body), privateKey));
    const replaced = await found(async (mallory) => {
      const seal = await sealOf(mallory, SEAL);
      await putSeal(mallory, forged({ ...seal, root: 'a'.repeat(64) }));
    });
    expect(replaced).toEqual(
      expect.arrayContaining([`seals: seal ${SEAL} forged`, `seals: seal ${SEAL} replaced`]),
    );
    let number = 0;
    const added = await found(async (mallory) => {
      number = (await mallory.items('audit')).filter((item) => item['entity']?.S === 'seal').length + 1;
      const last = await sealOf(mallory, number - 1);
      const body = { ...last, number, from: last.to, to: last.to + 1, prev: last.hash, key: own.id };
      await putSeal(mallory, forged(body));
      const key = { ...own, since: number };
      const item = {
        entity: { S: 'seal-key' },
        rev: { N: String(number) },
        body: { S: JSON.stringify(key) },
      };
      await mallory.put('audit', item);
    });
    expect(added).toContain(`seals: seal ${number} forged`);
  });

  test('a whole chain of seals that somebody else made: by the key that the auditor holds, and by that alone', async () => {
    const { publicKey: foreign } = generateKeyPairSync('ed25519');
    const other = keyFromSpki(foreign.export({ type: 'spki', format: 'der' }));
    const nothing = async () => {};
    const result = await verifyAfter(dataDir, nothing, { publicKey: other });
    expect(named(result.faults)).toEqual([`seals: seal ${result.seals} forged`]);
    expect((await verifyAfter(dataDir, nothing)).verified).toBe(true);
  });

  test('an archive that was edited, or lacks a window', async () => {
    const edited = await found(async (mallory) => {
      const file = windowFile(mallory, SEAL);
      writeFileSync(file, readFileSync(file, 'utf8').replace('"actor":"somebody"', '"actor":"nobody"'));
    });
    expect(edited.filter((fault) => fault.startsWith('archive: principal#'))).toHaveLength(1);
    const gone = await found(async (mallory) => rmSync(windowFile(mallory, SEAL)));
    expect(gone).toContain(`archive: seal ${SEAL} missing`);
    const garbled = await found(async (mallory) => writeFileSync(windowFile(mallory, SEAL), 'no events'));
    expect(garbled).toContain(`archive: seal ${SEAL} unreadable`);
  });
});

describe('events that only the archive has', () => {
  const prune = (mallory: Mallory) => mallory.remove('principal#bob', 1);

  test('are faults, unless pruning is allowed', async () => {
    expect(await found(prune)).toEqual(['seals: principal#bob/1 deleted']);
    const result = await verifyAfter(dataDir, prune, { publicKey, pruned: true });
    expect(result).toMatchObject({ verified: true, pruned: 1, faults: [] });
  });

  test('rebuild the state together with those of the table', async () => {
    const pruned = async (mallory: Mallory) => mallory.remove(allocation(), 1);
    const result = await verifyAfter(dataDir, pruned, { publicKey, pruned: true });
    expect(result).toMatchObject({ verified: true, pruned: 1 });
  });
});

describe('the command', () => {
  const run = (...words: string[]) =>
    spawnSync(process.execPath, ['infra/local/verify/main.ts', ...words], {
      ...{ cwd: ROOT, encoding: 'utf8' },
      // Jest's flags are not for this process.
      env: { ...process.env, NODE_OPTIONS: '' },
    });

  test('says what it found, and by its exit code', async () => {
    const good = run('--data', dataDir, '--json');
    expect([good.status, JSON.parse(good.stdout)]).toEqual([0, expect.objectContaining({ verified: true })]);
    expect(good.stderr).toContain('reading the audit');
    const other = join(folder.path, 'other.pem');
    const { publicKey: foreign } = generateKeyPairSync('ed25519');
    writeFileSync(other, foreign.export({ type: 'spki', format: 'pem' }));
    const bad = run('--data', dataDir, '--public-key', other);
    expect([bad.status, bad.stdout]).toEqual([1, expect.stringMatching(/seal \d+ +forged/)]);
    expect(run('--data', join(folder.path, 'nothing')).status).toBe(1);
    expect(run('--date', dataDir)).toMatchObject({ status: 2, stdout: '' });
  });
});

describe('a database that was changed below the engine', () => {
  /** What is said of a copy of the folder whose file `sql` was run on. */
  const refusedAfter = async (sql: string, ...values: string[]): Promise<string> => {
    const copy = temporaryFolder();
    try {
      cpSync(dataDir, copy.path, { recursive: true });
      const database = new DatabaseSync(join(copy.path, 'state.db'));
      const tables = database.prepare('SELECT table_name AS name FROM _tables').all();
      const audit = tables.map(({ name }) => String(name)).find((name) => name.includes('Audit'));
      const { changes } = database.prepare(sql.replace('AUDIT', `"${audit}"`)).run(...values);
      database.close();
      expect(changes).toBe(1);
      const outcome = await verifyFolder({ dataDir: copy.path }).catch((error: unknown) => error);
      return outcome instanceof HostError ? outcome.message : JSON.stringify(outcome);
    } finally {
      copy.remove();
    }
  };

  test('is refused where an item is not what its key says, or is none', async () => {
    const moved = "UPDATE AUDIT SET pk = 'S:principal#eve' WHERE pk = ?";
    expect(await refusedAfter(moved, 'S:principal#ada')).toMatch(/something else where S:principal#eve/);
    const garbled = "UPDATE AUDIT SET item_json = '{' WHERE pk = ?";
    expect(await refusedAfter(garbled, 'S:principal#bob')).toMatch(/something else where S:principal#bob/);
  });

  test('is refused where it is laid out in another way', async () => {
    const renamed = `UPDATE _tables SET key_schema = '[]' WHERE table_name LIKE '%Audit%'`;
    expect(await refusedAfter(renamed)).toBe('the database has no tables of ours');
  });
});

test('a folder that a host has open, or that is none, is refused', async () => {
  const rig = await startRig(join(folder.path, 'open'));
  await expect(verifyFolder({ dataDir: rig.host.dataDir })).rejects.toThrow('stop it first');
  await rig.stop();
  await expect(verifyFolder({ dataDir: join(folder.path, 'nothing') })).rejects.toThrow('has no database');
});
