import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { proofFaults } from '../../lib/audit/seal.ts';
import { keyFromText } from '../../lib/audit/seal-key.ts';
import { checkSeals } from '../../lib/audit/seal-trust.ts';
import { main } from '../../lib/cli/main.ts';
import { temporaryFolder } from '../infra/support.ts';
import { happenedBefore } from './old-events.ts';
import { collect, type Rig, refusalOf, startRig } from './rig.ts';

const AGO_MS = 30 * 60_000;
const folder = temporaryFolder();
let rig: Rig;
beforeAll(async () => {
  rig = await startRig(join(folder.path, 'data'));
  await happenedBefore(rig, ['ada', 'bob', 'cyd', 'dan', 'eve'], AGO_MS);
});
afterAll(async () => {
  await rig.stop();
  folder.remove();
});

const seals = () => collect(rig.admin.pages('listSeals', { query: { limit: 1 } }));
const keys = async () => (await rig.admin.call('listSealKeys')).items;

async function labscape(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', ''];
  const token = await rig.token({ sub: 'root', roles: ['admin'] });
  const io = {
    out: (text: string) => {
      out += text;
    },
    err: (text: string) => {
      err += text;
    },
    environment: { LABSCAPE_URL: rig.host.url, LABSCAPE_TOKEN: token },
    outIsTerminal: false,
    errIsTerminal: false,
    interrupted: new AbortController().signal,
  };
  const clock = { now: Date.now, monotonicMs: () => performance.now() };
  const code = await main(argv, io, clock, { uniform: Math.random, id: () => 'id' });
  return { code, out, err };
}

describe('seals on one machine', () => {
  test('are made by the function on its schedule, two at once or not, signed by a key in its own file', async () => {
    const heard: unknown[] = [];
    const stopListening = rig.host.onMetric((_, metric) => heard.push(metric));
    await Promise.all([rig.invoke('sealer', {}), rig.invoke('sealer', {})]);
    stopListening();
    // What the alarm watches for.
    expect(heard).toContainEqual(expect.objectContaining({ SealerRuns: 1, function: 'sealer' }));
    const made = await seals();
    expect(made.reduce((sum, { count }) => sum + count, 0)).toBe(5);
    expect(checkSeals(made, await keys())).toEqual([]);
    expect(statSync(join(rig.host.dataDir, 'seal-keys.json')).mode & 0o777).toBe(0o600);
  });

  test('have a proof for each event, which anybody can check', async () => {
    const known = new Map((await keys()).map((key) => [key.id, key]));
    for (const name of ['ada', 'cyd', 'eve']) {
      const query = { entity: `principal#${name}`, rev: 1 };
      const proof = await rig.admin.call('proveEvent', { query });
      expect(proofFaults(proof, known)).toEqual([]);
      expect(proof.event.entity).toBe(query.entity);
      const other = { ...proof.event, actor: 'eve' };
      expect(proofFaults({ ...proof, event: other }, known)).toContain('event-edited');
      expect(proofFaults({ ...proof, index: proof.index + 1 }, known)).toContain('not-included');
    }
  });

  test('prove nothing that is not there, or not yet', async () => {
    const refused = (entity: string, rev: number) =>
      refusalOf(rig.admin.call('proveEvent', { query: { entity, rev } }));
    expect(await refused('principal#ada', 2)).toMatchObject({ status: 404 });
    await rig.admin.call('revokePrincipal', { params: { principal: 'fay' }, body: { reason: 'test' } });
    const early = await refused('principal#fay', 1);
    expect([early.status, early.message]).toEqual([404, expect.stringContaining('yet')]);
  });

  test('are read, proved and checked on the command line, with a key that its user holds', async () => {
    const [first] = await keys();
    const own = join(folder.path, 'own.pem');
    const jwk = { kty: 'OKP', crv: 'Ed25519', x: first?.x ?? '' };
    writeFileSync(own, createPublicKey({ key: jwk, format: 'jwk' }).export({ type: 'spki', format: 'pem' }));
    expect(keyFromText(readFileSync(own, 'utf8')).id).toBe(first?.id);
    const saved = join(folder.path, 'keys.json');
    writeFileSync(saved, (await labscape('audit', 'keys', '--json')).out);

    expect(await labscape('audit', 'seals', '--public-key', own)).toMatchObject({ code: 0 });
    const proof = ['audit', 'proof', '--entity', 'principal#bob', '--rev', '1'];
    for (const file of [own, saved]) {
      const proved = await labscape(...proof, '--public-key', file);
      expect(proved).toMatchObject({ code: 0, out: expect.stringContaining('proved: principal#bob/1') });
    }
    const whole = await labscape('audit', 'verify', '--seals');
    expect(whole).toMatchObject({ code: 0, out: expect.stringMatching(/\d seals?, one chain, signed/) });
  });

  test('are refused on the command line where another key signed them', async () => {
    const other = join(folder.path, 'other.pem');
    writeFileSync(other, generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' }));
    const shown = await labscape('audit', 'seals', '--public-key', other);
    expect(shown).toMatchObject({ code: 1, out: expect.stringContaining('no seal is signed by the key') });
    const proof = ['audit', 'proof', '--entity', 'principal#bob', '--rev', '1', '--public-key', other];
    expect(await labscape(...proof)).toMatchObject({ code: 1 });
    expect(await labscape('audit', 'seals', '--public-key', join(folder.path, 'nothing'))).toMatchObject({
      code: 2,
    });
  });

  test('do not stand in the way of a backup, which holds events alone', async () => {
    const { runs } = (await rig.invoke('backup', {})) as { runs: { kind: string; status: string }[] };
    expect(runs.map(({ kind, status }) => [kind, status])).toEqual([
      ['backup', 'done'],
      ['drill', 'done'],
    ]);
  });

  test('go on after a restart of the host, with the same key', async () => {
    const before = await seals();
    const data = rig.host.dataDir;
    await rig.stop();
    rig = await startRig(data);
    await happenedBefore(rig, ['gus'], AGO_MS / 2);
    await rig.invoke('sealer', {});
    const after = await seals();
    expect(after.slice(0, before.length)).toEqual(before);
    expect(after.length).toBeGreaterThan(before.length);
    expect(checkSeals(after, await keys())).toEqual([]);
    expect(await keys()).toHaveLength(1);
  });
});
