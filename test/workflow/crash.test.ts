import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { freePort, KilledHost } from '../crash/killed-host.ts';
import { Ordeal } from '../crash/ordeal.ts';
import { seeded } from '../crash/seeded.ts';

/** A hundred of them: `npm run crash`. */
const KILLS = 3;

const dataDir = mkdtempSync(path.join(tmpdir(), 'labscape-crash-'));
let host: KilledHost | undefined;

afterAll(async () => {
  await host?.stop();
  rmSync(dataDir, { recursive: true, force: true });
});

test('a host that is killed in the middle of recoveries finishes them after its restart and loses nothing', async () => {
  host = new KilledHost(dataDir, await freePort());
  await host.start();
  const ordeal = new Ordeal(host, seeded(7));
  await ordeal.prepare();
  for (let round = 0; round < KILLS; round += 1) {
    expect((await ordeal.kill(round)).faults).toEqual([]);
  }
});
