import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startHost } from '../../infra/local/host.ts';
import type { Incident } from '../../lib/schemas/incident.ts';
import { run } from '../unit/cli/scripted-api.ts';
import { problemOf, Rig, refusalOf, until } from './rig.ts';
import { newSite, type Site } from './site.ts';

let rig: Rig;
let site: Site;
beforeAll(async () => {
  const environment = { THREAT_MODE: 'automatic' };
  rig = new Rig(await startHost({ port: 0, schedules: false, logLevel: 'silent', environment }));
  site = await newSite(rig);
});
afterAll(() => rig.stop());

/** The command line as an administrator, with what it wrote. */
const labscape = async (...argv: string[]) =>
  run(argv, {
    url: rig.host.url,
    environment: { LABSCAPE_TOKEN: await rig.token({ sub: 'root', roles: ['admin'] }) },
  });
const listed = async (): Promise<Incident[]> => JSON.parse((await labscape('incidents', '--json')).out);

test('a tenant that tries what is not its own is one incident, throttled, seen to and let go', async () => {
  const names: string[] = [];
  const stop = rig.host.onMetric((_, emf) => names.push(...Object.keys(emf as object)));
  const eve = { sub: 'eve', roles: ['tenant'], tenant: site.tenant } as const;
  const token = await rig.token(eve);
  const ask = (tenant: string) => rig.send({ method: 'GET', path: `/tenants/${tenant}`, token });
  for (let i = 0; i < 48; i += 1) expect(problemOf(await ask(`other-${i}`)).code).toBe('not-found');
  await rig.invoke('sweep', {});
  stop();
  expect(names).toContain('IncidentsOpened');
  const [incident] = await listed();
  if (incident === undefined) throw new Error('no incident');
  expect(incident).toMatchObject({
    ...{ kind: 'refusals', type: 'principal', subject: 'eve', status: 'open', count: 48 },
    response: { kind: 'throttle', status: 'active' },
    runbook: 'docs/incidents.md#refusals',
  });
  const refused = await until('the throttle', async () => {
    const answer = await ask(site.tenant);
    return answer.status === 200 ? undefined : answer;
  });
  expect([refused.status, problemOf(refused).code]).toEqual([429, 'too-many-requests']);
  expect(Number(refused.headers['retry-after'])).toBeGreaterThanOrEqual(1);

  expect((await labscape('incidents', incident.id)).out).toContain('forbidden');
  const acknowledged = await labscape('incidents', incident.id, '--ack', '--reason', 'looking');
  expect([acknowledged.code, acknowledged.out]).toEqual([0, expect.stringContaining('acknowledged')]);
  expect((await labscape('incidents', incident.id, '--lift')).code).toBe(2);
  const wish = ['--respond', 'quarantine', '--for', '1h', '--reason', 'stolen?'];
  expect((await labscape('incidents', incident.id, ...wish)).out).toContain('quarantine until');
  const allocate = async () =>
    rig.send({
      ...{ method: 'POST', path: '/allocations', token, body: '{"demand":{"processing":1' },
      headers: { 'content-type': 'application/json', 'idempotency-key': 'eve' },
    });
  // Of what else is wrong with it, it learns nothing.
  await until('the quarantine', async () =>
    problemOf(await allocate()).code === 'quarantined' ? true : undefined,
  );
  await until('reading goes on', async () => ((await ask(site.tenant)).status === 200 ? true : undefined));
  const lifted = await labscape('incidents', incident.id, '--lift', '--reason', 'asked her');
  expect([lifted.code, lifted.out]).toEqual([0, expect.stringContaining('quarantine lifted')]);
  expect((await labscape('incidents', incident.id, '--lift', '--reason', 'again')).code).toBe(1);
  await until('nobody throttles her', async () => {
    for (let i = 0; i < 12; i += 1) if ((await ask(site.tenant)).status !== 200) return undefined;
    return true;
  });
  const resolved = await labscape('incidents', incident.id, '--resolve', '--reason', 'a script');
  expect(resolved.code).toBe(0);
  await rig.invoke('sweep', {});
  expect((await listed()).map(({ status }) => status)).toEqual(['resolved']);
  expect(await labscape('erase', 'eve', '--reason', 'has left')).toMatchObject({ code: 0 });
  // Keys have names of two parts, and some are a person's.
  for (const name of ['break-glass.eve', 'north.host-1'])
    expect(await labscape('erase', name, '--reason', 'has left')).toMatchObject({ code: 0 });
  const chain = await rig.admin.call('verifyChain', { query: { entity: `incident#${incident.id}` } });
  expect(chain).toMatchObject({ verified: true, events: 6 });
}, 120_000);

test('an incident that is not there, and people without the right, are refused', async () => {
  const params = { incident: 'refusals-000000000000' };
  const body = { reason: 'test' };
  expect((await refusalOf(rig.admin.call('resolveIncident', { params, body }))).status).toBe(404);
  const olga = rig.as({ sub: 'olga', roles: ['operator'] });
  expect((await olga.call('listIncidents')).items.length).toBeGreaterThan(0);
  expect((await refusalOf(olga.call('liftResponse', { params, body }))).status).toBe(403);
});
