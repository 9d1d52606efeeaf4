import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { problemOf, type RawRequest, type Rig, startRig } from '../api/rig.ts';
import { newSite } from '../api/site.ts';
import { temporaryFolder } from '../infra/support.ts';
import { auditFaults, failures } from './audit-facts.ts';
import { Beating, expectRehomed, letItJudge, loseForGood, PACE } from './beating.ts';
import { StartedMain } from './started-main.ts';

const ADMIN = { sub: 'root', roles: ['admin'] } as const;
const OUTAGE = { status: 503, code: 'unavailable' } as const;

const folder = temporaryFolder();
afterAll(() => folder.remove());

/** Asks once and expects the answer of an outage: which problem, and when to come back. */
async function expectOutage(rig: Rig, request: RawRequest): Promise<void> {
  const answer = await rig.send({ ...request, token: await rig.token(ADMIN) });
  expect([request.path, problemOf(answer)]).toEqual([request.path, expect.objectContaining(OUTAGE)]);
  expect([request.path, answer.headers['retry-after']]).toEqual([request.path, '5']);
}

const post = (path: string, body: unknown, headers: Record<string, string> = {}): RawRequest => ({
  ...{ method: 'POST', path, body: JSON.stringify(body) },
  headers: { 'content-type': 'application/json', ...headers },
});

describe('an engine that answers nobody for longer than leases', () => {
  let rig: Rig;
  let beating: Beating;
  beforeAll(async () => {
    rig = await startRig(join(folder.path, 'stalled'));
    beating = new Beating(rig);
  });
  afterAll(async () => {
    await beating.stop();
    await rig.stop();
  });

  test('is told to callers, fails no resource, and afterwards what really failed is recovered', async () => {
    const site = await newSite(rig, { resources: 3, policy: PACE });
    const other = await newSite(rig, { resources: 1, policy: PACE });
    const [first = ''] = site.resources;
    const placed = await site.fill(6, 40);
    beating.start(site);
    beating.start(other);
    await beating.more(3);
    const demand = { processing: 7, memory: 0, storage: 0, network: 0 };
    const constraints = { labscapes: [site.labscape] };
    const allocate = post(
      '/allocations',
      { tenant: site.tenant, demand, constraints },
      { 'idempotency-key': 'asked-in-the-outage' },
    );
    const fail = (resource: string) => post(`/resources/${resource}/fail`, { reason: 'test' });
    const status = { method: 'GET', path: '/status' };
    // The gateway knows this caller on these routes: it is the functions that will answer.
    const token = await rig.token(ADMIN);
    await rig.send({ ...status, token });
    await rig.send({ ...fail('nobody'), token });

    process.kill(rig.host.engine.pid, 'SIGSTOP');
    try {
      await Promise.all([status, allocate, fail(first)].map((request) => expectOutage(rig, request)));
      expect((await rig.send({ method: 'GET', path: '/health' })).status).toBe(200);
      await expect(rig.invoke('sweep', {})).rejects.toThrow('StoreUnavailable');
      await sleep(3 * PACE.leaseMs);
    } finally {
      process.kill(rig.host.engine.pid, 'SIGCONT');
    }
    // At once: everybody has been silent for several leases.
    const [seen] = await Promise.all([rig.admin.call('getStatus'), rig.invoke('sweep', {})]);
    const verdicts = seen.labscapes.flatMap(({ resources }) => resources.map(({ verdict }) => verdict));
    expect(verdicts).not.toContain('failed');

    await letItJudge(rig, beating);
    expect(await failures(rig)).toEqual([]);
    // A beat that is late by the machine's own doing may leave a suspicion for a moment.
    for (const { status: now } of [...(await site.all()), ...(await other.all())])
      expect(['healthy', 'suspect']).toContain(now);
    expect([...beating.refusals]).toEqual(['503 unavailable']);
    expect(beating.faults).toEqual([]);

    // Asked again under its key it is one allocation, whether or not the engine carried the first one out.
    for (let again = 0; again < 2; again += 1)
      expect([200, 201]).toContain((await rig.send({ ...allocate, token })).status);
    const report = await loseForGood(beating, site, first);
    expect(report.trigger).toBe('detector');
    const { items } = await rig.admin.call('listAllocations', { query: { tenant: site.tenant } });
    expect(items).toHaveLength(placed.length + 1);
    await expectRehomed(site, report, items);
    await site.expectAuditWhole([report.id]);
    expect(await failures(rig)).toContain(`resource#${first} resource.failed`);
    await beating.stop();
    expect(await auditFaults(rig, [site, other])).toEqual([]);
  });
});

describe('an engine that dies', () => {
  test('is told to whoever started the host, and to callers', async () => {
    const rig = await startRig(join(folder.path, 'dead'));
    try {
      const status = { method: 'GET', path: '/status' };
      await rig.send({ ...status, token: await rig.token(ADMIN) });
      process.kill(rig.host.engine.pid, 'SIGKILL');
      expect(await rig.host.died).toBe('The database engine ended (SIGKILL).');
      await expectOutage(rig, status);
      await expect(rig.invoke('sweep', {})).rejects.toThrow('StoreUnavailable');
    } finally {
      await rig.stop();
    }
  });

  test('ends `npm start` with that sentence, and the next start goes on where it stood', async () => {
    const dataDir = join(folder.path, 'main');
    const first = new StartedMain(dataDir);
    try {
      const { url, token } = await first.up();
      const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
      const body = JSON.stringify({ id: 'kept' });
      expect((await fetch(`${url}/labscapes`, { method: 'POST', headers, body })).status).toBe(201);
      process.kill(first.enginePid, 'SIGKILL');
      expect(await first.ended).toEqual({
        code: 1,
        stderr: `The database engine ended (SIGKILL). Nothing that was answered with success is lost: start again with --data ${dataDir}.\n`,
      });
      await expect(fetch(`${url}/health`)).rejects.toThrow();
    } finally {
      await first.stop();
    }
    const rig = await startRig(dataDir);
    try {
      const { items } = await rig.admin.call('listLabscapes', {});
      expect(items.map(({ id }) => id)).toEqual(['kept']);
      const site = await newSite(rig, { resources: 2 });
      await site.expectNothingLost(await site.fill(3, 40));
      expect(await site.failAndRestore(site.resources[0] ?? '')).toMatchObject({ status: 'done' });
      expect(await auditFaults(rig, [site])).toEqual([]);
    } finally {
      await rig.stop();
    }
  });
});
