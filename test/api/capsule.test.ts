import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ROOT } from '../../infra/bundle.ts';
import type { Capsule, StepOf } from '../../lib/schemas/capsule.ts';
import { replayCapsule } from '../../lib/services/recovery/replay.ts';
import { type Rig, refusalOf, startRig, until } from './rig.ts';
import { newSite, type Site } from './site.ts';

let rig: Rig;
let dir: string;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'capsule-'));
  rig = await startRig(join(dir, 'data'));
});
afterAll(async () => {
  await rig.stop();
  rmSync(dir, { recursive: true, force: true });
});

const capsuleOf = (recovery: string): Promise<Capsule> =>
  rig.admin.call('getCapsule', { params: { recovery } });
const failoverOf = ({ steps }: Capsule): StepOf<'Failover'> => {
  const found = steps.find((step) => step.phase === 'Failover');
  if (found?.phase !== 'Failover') throw new Error('the capsule has no plan');
  return found;
};

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** The command as people run it. */
const ran = (script: string, ...args: readonly string[]): Promise<Ran> =>
  new Promise((resolve) => {
    const env = { ...process.env, NODE_OPTIONS: '' };
    const child = execFile(process.execPath, [script, ...args], { cwd: ROOT, env }, (_, out, err) =>
      resolve({ code: child.exitCode ?? -1, out, err }),
    );
  });
const replayed = (...args: readonly string[]): Promise<Ran> => ran('infra/local/replay/main.ts', ...args);

const asking = (site: Site, recovery: string) =>
  until(`${recovery} asks`, async () => {
    const found = await site.recovery(recovery, ({ status }) => status === 'awaiting-approval');
    return found.waiting?.quote;
  });

describe('the capsule of a recovery', () => {
  test('holds what every decision was made of, and replays to the same decisions', async () => {
    const site = await newSite(rig, { resources: 4 });
    await site.fill(10, 40);
    const [first = ''] = site.resources;
    const report = await site.drained(first);

    const capsule = await capsuleOf(report.id);

    expect(capsule).toMatchObject({ v: 1, recovery: report.id, missing: [] });
    expect(capsule.steps.map(({ phase }) => phase)).toEqual(['Detect', 'Decide', 'Initiate', 'Failover']);
    const plan = failoverOf(capsule);
    expect(plan.decision.moves.map(([group, to]) => ({ group, to }))).toEqual(
      report.moves.map(({ group, to }) => ({ group, to })),
    );
    expect(plan.resources.map(([id]) => id)).toEqual(expect.arrayContaining(site.resources.slice(1)));
    expect(plan.resources.map(([id]) => id)).not.toContain(first);
    expect(replayCapsule(capsule)).toMatchObject({ identical: true, missing: [] });
  });

  test('keeps what the plan saw, and not what the fleet became by it', async () => {
    const site = await newSite(rig, { resources: 2 });
    const placed = await site.fill(4, 40);
    const [first = '', second = ''] = site.resources;
    const report = await site.drained(first);
    expect(report.moves.length).toBeGreaterThan(0);

    const seen = failoverOf(await capsuleOf(report.id)).resources.find(([id]) => id === second);

    const there = placed.filter(({ resource }) => resource === second).length;
    expect(seen?.[5]).toEqual([there * 40, 0, 0, 0]);
  });

  test('of one that is refused has the rules it was refused by', async () => {
    const site = await newSite(rig, { resources: 2, policy: { mode: 'observe', fencing: 'immediate' } });
    const [first = ''] = site.resources;
    await site.beat(first);
    await site.beat(first, { status: 'failed' });
    const report = await site.ended(`${first}-1-1`);
    expect(report.status).toBe('refused');

    const capsule = await until('the capsule', async () => {
      const found = await capsuleOf(report.id);
      return found.missing.length === 0 ? found : undefined;
    });

    expect(capsule.steps.map(({ phase }) => phase)).toEqual(['Detect', 'Decide']);
    expect(capsule.steps[1]).toMatchObject({
      looks: [{ decision: { rule: 'mode-observe' } }, { decision: { kind: 'refuse', rule: 'mode-observe' } }],
    });
    expect(replayCapsule(capsule).identical).toBe(true);
  });

  test('of one that asks is there while it waits, and says what is not decided yet; an approved one is whole', async () => {
    const site = await newSite(rig, { resources: 2, policy: { mode: 'ask', fencing: 'immediate' } });
    const [first = ''] = site.resources;
    await site.fill(2, 40);
    await site.beat(first);
    await site.beat(first, { status: 'failed' });
    const recovery = `${first}-1-1`;
    const quote = await asking(site, recovery);
    const before = await until('what was decided so far', async () => {
      const found = await capsuleOf(recovery);
      return found.steps.length === 2 ? found : undefined;
    });
    expect(before.missing).toEqual([]);

    const body = { decision: 'approve', reason: 'test', quote: quote.hash } as const;
    await rig.admin.call('approveRecovery', { params: { recovery }, body });
    await site.recovery(recovery, ({ nextPhase }) => nextPhase === 'RecoverData');
    await site.answerRestore(first, recovery, 'restored');
    const report = await site.ended(recovery);
    const { groups, pending, targets, rehomedShare } = quote;
    const figures = { moved: groups - pending, pending, targets, rehomedShare, fenceWaitMs: 0 };
    expect(report.quoted).toEqual({ by: 'approval', ...figures });
    expect(report.actual).toEqual(figures);

    const capsule = await capsuleOf(recovery);
    expect(capsule.missing).toEqual([]);
    expect(capsule.steps.map(({ phase }) => phase)).toEqual(['Detect', 'Decide', 'Initiate', 'Failover']);
    expect(capsule.steps[1]).toMatchObject({ looks: [{}, { decision: { kind: 'ask', rule: 'mode-ask' } }] });
    expect(replayCapsule(capsule).identical).toBe(true);
  });

  test('says what is missing when the function that decided wrote nothing', async () => {
    const site = await newSite(rig, { resources: 1, policy: { mode: 'ask' } });
    const [first = ''] = site.resources;
    await site.beat(first);
    // The tasks by hand: nobody starts the state that waits, so nothing writes what Decide saw.
    const input = { resource: first, epoch: 1, attempt: 1, trigger: 'alarm' };
    await rig.invoke('recovery', { phase: 'Decide', input, last: {} });

    const capsule = await capsuleOf(`${first}-1-1`);

    expect(capsule.steps).toEqual([]);
    expect(capsule.missing).toEqual([{ phase: 'Decide', why: expect.stringContaining('under way') }]);
  });

  test('of a recovery that never was is not found', async () => {
    expect(await refusalOf(capsuleOf('no-such-1-1'))).toMatchObject({ status: 404 });
  });
});

describe('npm run replay', () => {
  test('replays a saved capsule, turns red over a doctored one, and reads a data folder', async () => {
    const site = await newSite(rig, { resources: 3 });
    await site.fill(6, 40);
    const [first = ''] = site.resources;
    const { id, moves } = await site.drained(first);
    const token = await rig.token({ sub: 'root', roles: ['admin'] });
    const api = ['--url', rig.host.url, '--token', token];
    const path = join(dir, 'capsule.json');

    const saved = await ran('lib/cli/bin.ts', 'recoveries', id, '--capsule', path, ...api);
    expect(saved).toMatchObject({ code: 0, out: `4 steps of recovery ${id} are in ${path}\n` });

    const fromFile = await replayed(id, '--file', path);
    expect(fromFile).toMatchObject({ code: 0, err: '' });
    expect(fromFile.out).toContain('4 steps replay to identical decisions');
    for (const { group, to } of moves) expect(fromFile.out).toContain(`${group} → ${to}`);
    expect(await replayed(id, ...api)).toEqual(fromFile);

    const doctored: Capsule = JSON.parse(readFileSync(path, 'utf8'));
    // The first target had no room at all.
    const [target] = failoverOf(doctored).decision.targets;
    const entry = failoverOf(doctored).resources.find(([name]) => name === target);
    if (entry === undefined) throw new Error('no such target');
    entry[5] = [...entry[4]];
    writeFileSync(path, JSON.stringify(doctored));
    const red = await replayed(id, '--file', path, '--json');
    expect(red.code).toBe(1);
    expect(JSON.parse(red.out)).toMatchObject({ recovery: id, identical: false });

    await rig.stop();
    expect(await replayed(id, '--data', join(dir, 'data'))).toEqual(fromFile);
    expect(await replayed('no-such-1-1', '--data', join(dir, 'data'))).toMatchObject({ code: 1, out: '' });
    expect(await replayed(id, '--data', join(dir, 'elsewhere'))).toMatchObject({ code: 1, out: '' });
    expect(await replayed('not an id')).toMatchObject({ code: 2, out: '' });
    rig = await startRig();
  }, 120_000);
});
