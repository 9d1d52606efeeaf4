import { appendFileSync, cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { startHost } from '../../infra/local/host.ts';
import { isMark } from '../../infra/local/template/assembly-use.ts';
import { synthesise } from '../../infra/local/template/synthesise.ts';
import { readTemplate } from '../../infra/local/template/template.ts';
import { Rig } from '../api/rig.ts';
import { ScriptedAgent } from '../api/scripted-agent.ts';
import { newSite, type Site } from '../api/site.ts';
import { tableLines } from '../api/table-lines.ts';
import { temporaryFolder } from '../infra/support.ts';

/** Long enough that nothing but the answer ends the wait. */
const RESTORE_WAIT_MS = 600_000;
/** In the definition, which is JSON inside the template's JSON. */
const VERSION_TOLD = /\\"v\\":\d+,/g;

let folder: ReturnType<typeof temporaryFolder>;
let rig: Rig | undefined;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(async () => {
  await rig?.stop();
  rig = undefined;
  folder.remove();
});

/** The assembly as another version of this product would have made it. */
async function assembly(name: string, definition: (text: string) => string, code: string): Promise<string> {
  const dir = join(folder.path, name);
  // Hosts of other tests come and go meanwhile.
  cpSync(await synthesise(), dir, { recursive: true, filter: (source) => !isMark(basename(source)) });
  for (const file of readdirSync(dir).filter((each) => each.endsWith('.template.json'))) {
    const path = join(dir, file);
    writeFileSync(path, definition(readFileSync(path, 'utf8')));
  }
  for (const { codeDir } of readTemplate(dir).functions) appendFileSync(join(codeDir, 'index.js'), code);
  return dir;
}

/** What there was before tasks had versions. */
const older = () => assembly('older', (text) => text.replaceAll(VERSION_TOLD, ''), '\n// older\n');
const newer = () => assembly('newer', (text) => text, '\n// newer\n');

/** The first step of an update from before heartbeats were packed, and the last of one back. */
const unpacked = (name: string) =>
  assembly(name, (text) => text.replace(/("PACKED_BEATS": *)"true"/, '$1"false"'), '\n// unpacked\n');

async function start(assemblyDir: string): Promise<Rig> {
  const dataDir = join(folder.path, 'data');
  const host = await startHost({ port: 0, logLevel: 'silent', schedules: false, dataDir, assemblyDir });
  return new Rig(host);
}

const definitionOf = (at: Rig): string => at.host.template.machines[0]?.definition ?? '';

/** A site whose first resource has failed, and whose recovery waits for the word that it is restored. */
async function waiting(at: Rig): Promise<{ site: Site; recovery: string; placed: readonly string[] }> {
  const site = await newSite(at, { resources: 3, policy: { restoreWaitMs: RESTORE_WAIT_MS } });
  const placed = await site.fill(9, 30);
  const { recovery } = await site.fail(site.resources[0] ?? '');
  await site.recovery(recovery, ({ nextPhase }) => nextPhase === 'RecoverData');
  return { site, recovery, placed: placed.map(({ id }) => id) };
}

test('a recovery that waits while the control plane is updated goes on and ends under the newer version', async () => {
  rig = await start(await older());
  expect(definitionOf(rig)).not.toContain('"v":');
  const { site, recovery, placed } = await waiting(rig);
  const [failed = ''] = site.resources;
  const moved = (await site.recovery(recovery, () => true)).moves;
  await rig.stop();

  rig = await start(await newer());
  expect(definitionOf(rig)).toContain('"v":1');
  const after = Object.assign(site, { rig });
  const again = await after.recovery(recovery, ({ attempt }) => attempt === 2);
  expect(again).toMatchObject({ status: 'running', nextPhase: 'RecoverData', moves: moved });
  await after.answerRestore(failed, recovery, 'restored');
  const report = await after.ended(recovery);
  expect(report).toMatchObject({ status: 'done', attempt: 2, moves: moved, pending: [] });
  expect(moved.length).toBeGreaterThan(0);
  await after.expectNothingLost(await Promise.all(placed.map((id) => after.allocation(id))));
  await after.expectAuditWhole([recovery]);
});

test('newer code finishes an execution that keeps the definition it began with', async () => {
  rig = await start(await older());
  const { site, recovery } = await waiting(rig);
  await site.answerRestore(site.resources[0] ?? '', recovery, 'restored');
  expect(await site.ended(recovery)).toMatchObject({ status: 'done', attempt: 1 });
});

test('code that meets a task of a newer definition says so and leaves the recovery where it stands', async () => {
  rig = await start(await newer());
  const { site, recovery } = await waiting(rig);
  const before = await rig.state();
  const input = { resource: site.resources[0], epoch: 1, attempt: 1, trigger: 'api' };
  for (const phase of ['Failover', 'RecoverData', 'Close', 'Compensate', 'Park'])
    expect(await rig.host.invoke('recovery', { v: 2, phase, input, last: {} })).toMatchObject({
      ok: false,
      errorType: 'NewerVersion',
    });
  expect(await rig.state()).toEqual(before);
  expect((await site.recovery(recovery, () => true)).status).toBe('running');
});

test('what was heard of resources stays while the form of heartbeats changes, and changes back', async () => {
  rig = await start(await unpacked('before'));
  const site = await newSite(rig, { resources: 2 });
  const agents = () => site.resources.map((resource) => new ScriptedAgent(site.rig, site, resource));
  const heard = async () => {
    const { labscapes } = await site.rig.admin.call('getStatus');
    const own = labscapes.find(({ id }) => id === site.labscape)?.resources ?? [];
    return own.map(({ lastBeatAt }) => lastBeatAt);
  };
  /** Version of the labscape's item, and how many pulses it has as text and in blocks of agents. */
  const form = async () => {
    const line =
      (await tableLines(site.rig.host)).find((each) => each.includes(`"BEAT#${site.labscape}"`)) ?? '';
    const count = (prefix: string) => line.split(`"${prefix}_`).length - 1;
    return { version: /"v":\{"N":"(\d)"\}/.exec(line)?.[1], text: count('r'), blocks: count('b') };
  };
  const restart = async (assemblyDir: string) => {
    await rig?.stop();
    rig = await start(assemblyDir);
    Object.assign(site, { rig });
  };
  const [one, two] = await Promise.all(agents().map((agent) => agent.beat({}, 1)));
  expect(await form()).toEqual({ version: '1', text: 2, blocks: 0 });

  await restart(await newer());
  expect(await heard()).toEqual([one?.receivedAt, two?.receivedAt]);
  const again = await agents()[0]?.beat({}, 2);
  expect(await form()).toEqual({ version: '2', text: 1, blocks: 1 });
  expect(await heard()).toEqual([again?.receivedAt, two?.receivedAt]);
  await agents()[1]?.beat({}, 2);
  expect(await form()).toEqual({ version: '2', text: 0, blocks: 2 });
  const before = await heard();

  await restart(await unpacked('back'));
  expect(await heard()).toEqual(before);
  for (const agent of agents()) await agent.beat({}, 3);
  expect(await form()).toEqual({ version: '1', text: 2, blocks: 0 });
});
