import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startAgent } from '../../lib/agent/agent.ts';
import { AgentConfig } from '../../lib/agent/config.ts';
import { SNAPSHOT_AGE_MAX_MS } from '../../lib/services/fleet.ts';
import { expectFoldAgrees } from './fold-facts.ts';
import { type Rig, refusalOf, startRig, until } from './rig.ts';
import { FILL, LIMIT, newSite, type Site } from './site.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());

const on = (resource: string) => ({ adopt: { resource } });
const first = (site: Site): string => site.resources[0] ?? '';

describe('work that runs already', () => {
  test('is accounted on exactly its resource, though another is emptier', async () => {
    const site = await newSite(rig, { resources: 3 });
    const busy = site.resources[1] ?? '';
    for (let i = 0; i < 3; i += 1) {
      const { body, status } = await site.ask(100, on(busy));
      expect([status, body.status, body.resource, body.adoptedOn]).toEqual([201, 'placed', busy, busy]);
      expect(body.warning).toBeUndefined();
    }
    expect((await site.all()).map(({ used }) => used.processing)).toEqual([0, 300, 0]);
    const { items } = await rig.admin.call('getAssignments', { params: { resource: busy } }).then((page) => {
      if (page === null) throw new Error('nothing assigned');
      return page;
    });
    expect(items.map(({ adopted }) => adopted)).toEqual([true, true, true]);
    const placed = await site.place(10, { constraints: { labels: {} } });
    const there = await rig.admin.call('getAssignments', { params: { resource: placed.resource ?? '' } });
    expect(there?.items.find(({ allocation }) => allocation === placed.id)?.adopted).toBeUndefined();
    await expectFoldAgrees(rig);
    await site.expectAuditWhole();
  });

  test('may pass the fill, which the answer says, and never the limit', async () => {
    const site = await newSite(rig);
    await site.fill(7, 100);
    const { body } = await site.ask(50, on(first(site)));
    expect(body.warning).toBe(`over the fill of ${first(site)}: 750 of processing where the fill is ${FILL}`);
    const before = await rig.state();
    const refusal = await refusalOf(site.ask(60, on(first(site))));
    expect([refusal.status, refusal.code, refusal.errors[0]]).toEqual([
      ...[409, 'conflict', { field: 'adopt.resource', reason: 'no-room-processing' }],
    ]);
    expect(refusal.message).toContain(
      `750 of processing is accounted there, with 60 more it would pass the limit ${LIMIT}`,
    );
    expect(await rig.state()).toEqual(before);
    expect((await site.ask(50, on(first(site)))).body.status).toBe('placed');
    expect((await site.resource(first(site))).used.processing).toBe(LIMIT);
    expect((await refusalOf(site.ask(1))).code).toBe('no-capacity');
  });

  test('twice with one key is the same, and with another wish is refused', async () => {
    const site = await newSite(rig, { resources: 2 });
    const [here = '', there = ''] = site.resources;
    const once = await site.ask(500, on(here), 'the-key');
    const again = await site.ask(500, on(here), 'the-key');
    expect([once.status, again.status, again.body.id]).toEqual([201, 200, once.body.id]);
    expect((await site.resource(here)).used.processing).toBe(500);
    for (const wish of [on(there), {}])
      expect((await refusalOf(site.ask(500, wish, 'the-key'))).code).toBe('idempotency-mismatch');
  });

  test('that many adopt at the same moment never passes the limit', async () => {
    const site = await newSite(rig);
    const asks = Array.from({ length: 12 }, () => site.ask(100, on(first(site))).catch((e: unknown) => e));
    const answers = await Promise.all(asks);
    expect(answers.filter((answer) => !(answer instanceof Error))).toHaveLength(8);
    expect((await site.resource(first(site))).used.processing).toBe(LIMIT);
    await expectFoldAgrees(rig);
  });

  test('under n+1 with refusal is taken over all the same, and the lack is told', async () => {
    const site = await newSite(rig, { resources: 2, policy: { fill: 'n+1', reserve: 'refuse' } });
    await site.ask(500, on(site.resources[0] ?? ''));
    // Whichever warm function is asked next has seen that by then.
    await sleep(SNAPSHOT_AGE_MAX_MS);
    const { body } = await site.ask(600, on(site.resources[1] ?? ''));
    expect(body.status).toBe('placed');
    expect(body.warning).toMatch(/; over the fill of /);
  });

  test.each<[string, (site: Site) => Promise<object>, number, string, string]>([
    ['an unknown resource', async () => on('nothing'), 404, 'not-found', 'no resource nothing is registered'],
    [
      'a constraint that its resource breaks',
      async (site) => ({ ...on(first(site)), constraints: { labels: { rack: 'a' } } }),
      ...([409, 'conflict', 'label-missing'] as const),
    ],
    [
      'a resource that is not healthy',
      async (site) => {
        await site.drained(first(site));
        return on(first(site));
      },
      ...([409, 'conflict', 'not-healthy, the resource is drained'] as const),
    ],
  ])('is refused with %s', async (_, wishFor, status, code, says) => {
    const site = await newSite(rig, { resources: 2 });
    const refusal = await refusalOf(site.ask(10, await wishFor(site)));
    expect([refusal.status, refusal.code]).toEqual([status, code]);
    expect(refusal.message).toContain(says);
  });

  test('is not for tenants, batches or explanations', async () => {
    const site = await newSite(rig);
    const tenant = rig.as({ sub: 'tina', roles: ['tenant'], tenant: site.tenant });
    const operator = rig.as({ sub: 'olga', roles: ['operator'] });
    const demand = { processing: 1, memory: 0, storage: 0, network: 0 };
    const body = { tenant: site.tenant, demand, ...on(first(site)) };
    const headers = { 'idempotency-key': 'by-role' };
    const before = await rig.state();
    expect((await refusalOf(tenant.call('allocate', { headers, body }))).status).toBe(404);
    expect((await refusalOf(operator.call('explainAllocation', { body }))).errors[0]?.field).toBe('adopt');
    const items = [{ demand, ...on(first(site)) }];
    const batch = { tenant: site.tenant, mode: 'best-effort' as const, items };
    expect((await refusalOf(operator.call('allocateBatch', { headers, body: batch }))).status).toBe(400);
    expect(await rig.state()).toEqual(before);
    expect((await operator.call('allocate', { headers, body })).resource).toBe(first(site));
  });
});

test('a real agent takes running work over without restarting it; a drain moves it like any other', async () => {
  const site = await newSite(rig, { resources: 2, policy: { beatMs: 200, leaseMs: 3_000 } });
  const [here = '', there = ''] = site.resources;
  const folder = mkdtempSync(path.join(tmpdir(), 'labscape-adoption-'));
  const file = (name: string) => path.join(folder, name);
  const foreign = spawn('sleep', ['120'], { detached: true, stdio: 'ignore' });
  const ended = new Promise((resolve) => foreign.on('exit', (_, signal) => resolve(signal)));
  writeFileSync(file(`${here}.pid`), `${foreign.pid}\n`);
  // Hooks that know work by a file with its process id; each start leaves a line.
  const runner = {
    ...{ kind: 'process', cwd: folder, checkEveryMs: 1_000, stopGraceMs: 2_000 },
    start: [
      'sh',
      '-c',
      'echo "$LABSCAPE_RESOURCE" >> starts; echo $$ > $LABSCAPE_RESOURCE.pid; exec sleep 120',
    ],
    check: ['sh', '-c', 'p=$(cat $LABSCAPE_RESOURCE.pid) && grep -qv ") Z " /proc/$p/stat'],
    stop: ['sh', '-c', 'kill $(cat $LABSCAPE_RESOURCE.pid)'],
  };
  const starts = () => (existsSync(file('starts')) ? readFileSync(file('starts'), 'utf8').trim() : '');
  const config = AgentConfig.parse({
    ...{ url: rig.host.url, token: 't', labscape: site.labscape, agent: 'agent-a', load: 'none' },
    resources: site.resources.map((id) => ({ id, runner })),
  });
  const { body: adopted } = await site.ask(100, on(here));
  const agent = startAgent({
    ...{ config, log: () => undefined, environment: { PATH: process.env['PATH'] } },
    client: rig.as({ sub: 'agent-a', roles: ['agent'], labscape: site.labscape }),
    clock: { now: Date.now, monotonicMs: () => performance.now() },
    chance: { uniform: Math.random, id: () => 'id' },
  });
  try {
    const seen = () => site.allocation(adopted.id);
    await until('its agent reports it running', async () => ((await seen()).running ? true : undefined));
    expect([starts(), foreign.exitCode, foreign.signalCode]).toEqual(['', null, null]);
    await site.drained(here);
    await until('it runs elsewhere', async () => {
      const { resource, running } = await seen();
      return resource === there && running ? true : undefined;
    });
    expect([await ended, starts()]).toEqual(['SIGTERM', there]);
    await site.expectNothingLost([adopted]);
    const later = await rig.admin.call('getAssignments', { params: { resource: there } });
    expect(later?.items.map(({ allocation, adopted: flag }) => [allocation, flag])).toEqual([
      [adopted.id, undefined],
    ]);
  } finally {
    await agent.close();
    foreign.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
});
