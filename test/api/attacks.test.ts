import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { importJWK, SignJWT } from 'jose';
import type { MintRequest } from '../../infra/local/gateway/issuer.ts';
import { startHost } from '../../infra/local/host.ts';
import type { Client } from '../../lib/client/client.ts';
import { Problem } from '../../lib/schemas/problem.ts';
import type { KeyFile } from '../../lib/schemas/signing.ts';
import { temporaryFolder } from '../infra/support.ts';
import { collect, problemOf, type RawAnswer, type RawRequest, Rig, refusalOf, until } from './rig.ts';
import { goodRequest, type Names, routes } from './samples.ts';
import { everyItem, newKey, sign, signing } from './signing-rig.ts';
import { newSite, type Site } from './site.ts';

/**
 * What the issue lists under "It holds when", each against the whole control plane: refused with the right code,
 * nothing changed in either table, and the refusal on record.
 */

const folder = temporaryFolder();
let rig: Rig;
let site: Site;
let away: Site;
let key: KeyFile;
let agent: Client;
const BREAK_GLASS = newKey('break-glass.alice');
const OVER = newKey('break-glass.bob');

const guarded = routes.filter((route) => route.action !== 'public');
const namesAt = (at: Site, allocation: string): Names => ({
  ...{ labscape: at.labscape, resource: `${at.id}-r1`, tenant: at.tenant, allocation },
  ...{ principal: 'somebody', recovery: 'none', override: 'none', plan: 'none', run: 'none' },
});
let mine: Names;
let theirs: Names;

beforeAll(async () => {
  const inDays = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString();
  writeFileSync(
    join(folder.path, 'break-glass.json'),
    JSON.stringify([
      { name: 'alice', publicKey: BREAK_GLASS.x, expiresAt: inDays(30) },
      { name: 'bob', publicKey: OVER.x, expiresAt: inDays(-1) },
    ]),
  );
  rig = new Rig(await startHost({ port: 0, dataDir: folder.path, logLevel: 'INFO', schedules: false }));
  site = await newSite(rig);
  away = await newSite(rig);
  mine = namesAt(site, (await site.place(10)).id);
  theirs = namesAt(away, (await away.place(10)).id);
  key = newKey(`${site.labscape}.host-1`);
  await register(key);
  agent = signing(rig, key);
});
afterAll(async () => {
  await rig?.stop();
  folder.remove();
});

const principalOf = ({ kid }: KeyFile) => kid.split('/')[0] ?? '';
const thumbprintOf = ({ kid }: KeyFile) => kid.split('/')[1] ?? '';
const register = (one: KeyFile, overlapMs = 0) =>
  rig.admin.call('addKey', {
    params: { principal: principalOf(one) },
    body: { publicKey: one.x, overlapMs },
  });

/** Lines of the functions' logs that tell of a refusal. */
function refusalsOnRecord(): number {
  const names = ['authorise', 'authorise-signed', ...new Set(routes.map((route) => route.function))];
  return names
    .map((name) => join(folder.path, 'logs', `labscape-local-${name}.log`))
    .map((file) => {
      try {
        return readFileSync(file, 'utf8');
      } catch {
        return '';
      }
    })
    .flatMap((text) => text.split('\n'))
    .filter((line) => line.includes('"code":"') && !line.includes('"_aws"')).length;
}

type Attack = readonly [what: string, request: RawRequest, status: number];

/** Sends them all; each is refused as it should be, has its line in a log, and both tables are as before. */
async function expectRefused(attacks: readonly Attack[], unseen = 0): Promise<RawAnswer[]> {
  const before = await everyItem(rig);
  const seen = refusalsOnRecord();
  const answers: RawAnswer[] = [];
  for (const [what, request, status] of attacks) {
    const answer = await rig.send(request);
    answers.push(answer);
    expect([what, problemOf(answer).status]).toEqual([what, status]);
  }
  expect(await everyItem(rig)).toEqual(before);
  const wanted = attacks.length - unseen;
  await until('every refusal is on record', async () =>
    refusalsOnRecord() >= seen + wanted ? true : undefined,
  );
  return answers;
}

const json = { 'content-type': 'application/json' };
const report = (resource: string): RawRequest => ({
  ...{ method: 'POST', path: `/resources/${resource}/reports`, headers: json },
  body: JSON.stringify({ agent: 'host-1', epoch: 1, stopped: [{ group: 'nothing', epoch: 1 }] }),
});
const reading = (): RawRequest => ({ method: 'GET', path: `/resources/${mine.resource}` });
let beats = Date.now();
const beat = (labscape = site.labscape): RawRequest => ({
  ...{ method: 'POST', path: `/labscapes/${labscape}/heartbeats`, headers: json },
  body: JSON.stringify({
    ...{ agent: 'host-1', seq: ++beats },
    resources: [{ resource: mine.resource, epoch: 1, assignmentRevision: 1 }],
  }),
});
const reportPath = () => {
  const found = routes.find(({ operation }) => operation === 'report');
  return found?.path.replace('{resource}', mine.resource) ?? '';
};

describe('an agent that signs', () => {
  test('beats, reports and reads as one with a token does', async () => {
    expect(report(mine.resource).path).toBe(reportPath());
    const body = {
      ...{ agent: 'host-1', seq: ++beats },
      resources: [{ resource: mine.resource, epoch: 1, assignmentRevision: 1 }],
    };
    await agent.call('beat', { params: { labscape: site.labscape }, body });
    expect((await agent.call('getResource', { params: { resource: mine.resource } })).id).toBe(mine.resource);
    expect((await rig.send(await sign(rig, report(mine.resource), key))).status).toBe(200);
  });

  test('whose clock is hours off learns the time from its first refusal', async () => {
    const read = { params: { resource: mine.resource } };
    for (const clockOffS of [-7_200, 3_600, 40]) {
      const late = signing(rig, key, { clockOffS });
      expect((await late.call('getResource', read)).id).toBe(mine.resource);
      expect((await late.call('getResource', read)).id).toBe(mine.resource);
    }
    // Not further than a day: then something else is wrong.
    const lost = signing(rig, key, { clockOffS: -100_000 });
    expect((await refusalOf(lost.call('getResource', read))).status).toBe(403);
  });

  test('leaves no number behind for its beats, whose order is their guard', async () => {
    const before = rig.host.counters()['authorise-signed.UpdateItem'] ?? 0;
    for (let i = 0; i < 3; i += 1) expect((await rig.send(await sign(rig, beat(), key))).status).toBe(200);
    expect(rig.host.counters()['authorise-signed.UpdateItem'] ?? 0).toBe(before);
  });
});

describe('a signed request that is not what was signed', () => {
  test('is refused, whatever was changed', async () => {
    const good = () => sign(rig, report(mine.resource), key);
    const without = async (name: string): Promise<RawRequest> => {
      const { headers = {}, ...rest } = await good();
      return { ...rest, headers: Object.fromEntries(Object.entries(headers).filter(([at]) => at !== name)) };
    };
    const { host } = new URL(rig.host.url);
    const elsewhere = host.replace('127.0.0.1', 'localhost');
    const other = { ...report(mine.resource), body: '{"agent":"host-1","epoch":2}' };
    await expectRefused([
      ['another body', { ...(await good()), body: other.body }, 401],
      ['a body cut off', { ...(await good()), body: '' }, 401],
      [
        'a body where none was',
        {
          ...(await sign(rig, reading(), key)),
          headers: { ...(await sign(rig, reading(), key)).headers, ...json },
          body: '{}',
        },
        401,
      ],
      ['another path', { ...(await good()), path: `/signed/resources/${theirs.resource}/reports` }, 403],
      [
        'another method',
        { ...(await good()), method: 'GET', path: `/signed/resources/${mine.resource}` },
        403,
      ],
      ['another query', { ...(await good()), path: `/signed${reportPath()}?x=1` }, 403],
      [
        'signed for another host',
        await sign(rig, report(mine.resource), key, { host: 'api.example.com' }),
        403,
      ],
      [
        'sent to another host',
        { ...(await good()), headers: { ...(await good()).headers, host: elsewhere } },
        403,
      ],
      ['without its digest', await without('content-digest'), 403],
    ]);
    await expectRefused(
      [
        ['without its signature', await without('signature'), 401],
        ['without what it covers', await without('signature-input'), 401],
        ['nothing of either', { ...report(mine.resource), path: `/signed${reportPath()}` }, 401],
        ['signed, on the route for tokens', { ...(await good()), path: reportPath() }, 401],
        [
          'a token, on the route for signatures',
          {
            ...report(mine.resource),
            path: `/signed${reportPath()}`,
            token: await rig.token({ sub: 'root', roles: ['admin'] }),
          },
          401,
        ],
      ],
      // The gateway itself refuses these: its own log has them.
      5,
    );
  });

  test('or comes again, is late, or early, is refused', async () => {
    const sent = await sign(rig, report(mine.resource), key);
    const read = await sign(rig, reading(), key);
    const heard = await sign(rig, beat(), key);
    for (const request of [sent, read, heard]) expect((await rig.send(request)).status).toBe(200);
    const answers = await expectRefused([
      ['a report again', sent, 403],
      ['a reading again', read, 403],
      ['a beat again', heard, 409],
      ['a nonce for something else', { ...read, path: '/signed/status' }, 403],
      ['from two minutes ago', await sign(rig, report(mine.resource), key, { clockOffS: -125 }), 403],
      ['from a minute ahead', await sign(rig, report(mine.resource), key, { clockOffS: 60 }), 403],
    ]);
    expect(Problem.parse(JSON.parse(answers[2]?.text ?? '')).code).toBe('replayed-heartbeat');
  });

  test('never lets another in: what the gateway heard a moment ago is forgotten', async () => {
    const first = await sign(rig, reading(), key);
    expect((await rig.send(first)).status).toBe(200);
    const others = [`/signed/resources/${theirs.resource}`, `/signed/resources/${mine.resource}?x=1`];
    await expectRefused(others.map((path) => [path, { ...first, path }, 403]));
  });

  test('of twenty that come at once with one number, one is let in', async () => {
    const request = await sign(rig, reading(), key);
    const answers = await Promise.all(Array.from({ length: 20 }, () => rig.send(request)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 403)).toHaveLength(19);
  });
});

describe('keys', () => {
  test('nobody registered, or in the name of another, open nothing', async () => {
    const stranger = newKey(`${site.labscape}.host-1`);
    const posing = { ...stranger, kid: key.kid };
    const wrongScope = { ...key, kid: key.kid.replace(site.labscape, away.labscape) };
    const attacks = await Promise.all(
      [stranger, posing, wrongScope, OVER].map(
        async (one, i): Promise<Attack> => [`key ${i}`, await sign(rig, report(mine.resource), one), 403],
      ),
    );
    await expectRefused(attacks);
  });

  test('change over: two are good at once, then the new one alone, and what is over stays over', async () => {
    const principal = `${site.labscape}.host-2`;
    const [old, next, third] = [newKey(principal), newKey(principal), newKey(principal)];
    await register(old);
    await register(next, 60_000);
    const read = { params: { resource: mine.resource } };
    for (const one of [old, next])
      expect((await signing(rig, one).call('getResource', read)).id).toBe(mine.resource);
    expect((await refusalOf(register(third))).code).toBe('conflict');
    await rig.admin.call('revokeKey', {
      params: { principal, key: thumbprintOf(old) },
      body: { reason: 'changed over' },
    });
    expect((await signing(rig, next).call('getResource', read)).id).toBe(mine.resource);
    await register(third, 0);
    await expectRefused([
      ['revoked', await sign(rig, reading(), old), 403],
      ['ended by the next one', await sign(rig, reading(), next), 403],
    ]);
    expect((await refusalOf(register(old))).code).toBe('conflict');
    const chain = await rig.admin.call('verifyChain', { query: { entity: `principal#${principal}` } });
    expect(chain).toMatchObject({ verified: true, events: 4 });
    const query = { limit: 1 };
    const params = { labscape: site.labscape };
    const holders = await collect(rig.admin.pages('listKeys', { params, query }));
    const good = holders.find(({ id }) => id === principal)?.keys.filter((one) => one.good);
    expect(good?.map(({ id }) => id)).toEqual([thumbprintOf(third)]);
    expect(holders.every(({ id }) => id.startsWith(`${site.labscape}.`))).toBe(true);
    expect(holders.length).toBeGreaterThan(1);
  });

  test('and their principals, revoked in mid-session, are refused from the next request on', async () => {
    const own = newKey(`${site.labscape}.host-3`);
    await register(own);
    const principal = principalOf(own);
    const read = { params: { resource: mine.resource } };
    expect((await signing(rig, own).call('getResource', read)).id).toBe(mine.resource);
    await rig.admin.call('revokePrincipal', { params: { principal }, body: { reason: 'test' } });
    await expectRefused([['the principal', await sign(rig, reading(), own), 403]]);
    await rig.admin.call('reinstatePrincipal', { params: { principal }, body: { reason: 'test' } });
    expect((await signing(rig, own).call('getResource', read)).id).toBe(mine.resource);
    await rig.admin.call('revokeKey', {
      params: { principal, key: thumbprintOf(own) },
      body: { reason: 'test' },
    });
    await expectRefused([['the key', await sign(rig, report(mine.resource), own), 403]]);
  });

  test('that are no keys, or nobody’s, cannot be registered', async () => {
    const add = (principal: string, publicKey: string) =>
      refusalOf(rig.admin.call('addKey', { params: { principal }, body: { publicKey } }));
    const before = await everyItem(rig);
    expect((await add('somebody', key.x)).code).toBe('invalid-input');
    expect((await add('nowhere.host-1', key.x)).code).toBe('not-found');
    expect((await add('break-glass.eve', key.x)).code).toBe('invalid-input');
    expect((await add(`${site.labscape}.host-9`, 'no key')).code).toBe('invalid-input');
    const join = rig.admin.call('joinLabscape', { body: { id: 'break-glass' } });
    expect((await refusalOf(join)).code).toBe('invalid-input');
    expect(await everyItem(rig)).toEqual(before);
  });

  test('of a labscape that joins with one open what an agent of it may do', async () => {
    const own = newKey('with-key.labscape');
    await rig.admin.call('joinLabscape', { body: { id: 'with-key', publicKey: own.x } });
    const foreign = await sign(rig, reading(), own);
    const answers = await expectRefused([['a resource of another labscape', foreign, 404]]);
    expect(answers).toHaveLength(1);
    const hello = { ...beat('with-key'), body: JSON.stringify({ agent: 'labscape', seq: 1, resources: [] }) };
    const { status } = await rig.send(await sign(rig, hello, own));
    expect([200, 400]).toContain(status);
    const bad = rig.admin.call('joinLabscape', { body: { id: 'bad-key', publicKey: 'none' } });
    expect((await refusalOf(bad)).code).toBe('invalid-input');
  });
});

describe('somebody else’s', () => {
  test('a tenant is refused on every route with the names of another', async () => {
    const token = await rig.token({ sub: 'tina', roles: ['tenant'], tenant: site.tenant });
    await expectRefused(
      guarded.map((route): Attack => {
        const expected = ['allocate', 'readAllocations', 'readTenant'].includes(route.action) ? 404 : 403;
        return [route.operation, { ...goodRequest(route, theirs), token }, expected];
      }),
    );
  });

  test('an agent that signs is refused on every route with the names of another labscape', async () => {
    const own = ['beat', 'report', 'readAssignments', 'readResource'];
    const attacks = guarded.map(async (route): Promise<Attack> => {
      const expected = own.includes(route.action) && route.operation !== 'beat' ? 404 : 403;
      return [route.operation, await sign(rig, goodRequest(route, theirs), key), expected];
    });
    await expectRefused(await Promise.all(attacks));
  });
});

describe('tokens', () => {
  test('of an unknown key, not good yet, or that claim what no issuer may say, are refused', async () => {
    const stored = JSON.parse(readFileSync(join(folder.path, 'issuer-key.json'), 'utf8'));
    const real = await importJWK(stored, 'EdDSA');
    const good = await rig.token({ sub: 'ada', roles: ['admin'] });
    const claims = JSON.parse(Buffer.from(good.split('.')[1] ?? '', 'base64url').toString());
    const make = (more: object, kid = stored.kid) =>
      new SignJWT({ ...claims, ...more }).setProtectedHeader({ alg: 'EdDSA', kid }).sign(real);
    const now = Math.floor(Date.now() / 1000);
    // A header that names another algorithm over a signature of this key: the key decides, not the header.
    const [, payload = '', signature = ''] = good.split('.');
    const relabelled = (alg: string) =>
      `${Buffer.from(JSON.stringify({ alg, kid: stored.kid })).toString('base64url')}.${payload}.${signature}`;
    const tokens = {
      'of an unknown key id': await make({}, 'made-up'),
      'not good yet': await make({ nbf: now + 60 }),
      'that says break-glass': await make({ roles: ['break-glass'] }),
      'in the name of an agent with a key': await make({
        sub: principalOf(key),
        roles: ['agent'],
        labscape: site.labscape,
      }),
      'in the name of a break-glass key': await make({ sub: 'break-glass.alice' }),
      'of this key as RS256': relabelled('RS256'),
      'of this key as ES256': relabelled('ES256'),
      'of this key as HS256': relabelled('HS256'),
      'too large': 'a'.repeat(9_000),
    };
    const request = { ...goodRequest(routeNamed('putTenant'), mine) };
    await expectRefused(
      Object.entries(tokens).map(([what, token]): Attack => [what, { ...request, token }, 403]),
    );
    expect((await rig.send({ ...request, token: await make({}) })).status).toBe(200);
  });

  const routeNamed = (operation: string) => {
    const found = routes.find((route) => route.operation === operation);
    if (found === undefined) throw new Error(operation);
    return found;
  };

  test('of a principal revoked in mid-session are refused from the next request on', async () => {
    const identity: MintRequest = { sub: 'mid-session', roles: ['operator'] };
    const token = await rig.token(identity);
    const request = { ...goodRequest(routeNamed('putTenant'), mine), token };
    expect((await rig.send(request)).status).toBe(200);
    const params = { principal: identity.sub };
    await rig.admin.call('revokePrincipal', { params, body: { reason: 'test' } });
    const answers = await expectRefused([['revoked', request, 403]]);
    expect(answers.map((answer) => problemOf(answer).code)).toEqual(['principal-revoked']);
  });
});

describe('a break-glass key', () => {
  const glass = () => signing(rig, BREAK_GLASS);
  const uses = async () =>
    (await rig.admin.call('listEvents', { query: { entity: 'principal#break-glass.alice' } })).items;

  test('gets in, with an event of each use and the metric that calls a person', async () => {
    const heard: unknown[] = [];
    const stop = rig.host.onMetric((_, emf) => heard.push(emf));
    const before = (await uses()).length;
    expect((await glass().call('getStatus')).labscapes.length).toBeGreaterThan(0);
    await glass().call('putTenant', {
      params: { tenant: site.tenant },
      body: { quota: { processing: 1_000_000, memory: 1_000_000, storage: 1_000_000, network: 1_000_000 } },
    });
    stop();
    const events = await uses();
    expect(events).toHaveLength(before + 2);
    expect(events.every(({ type }) => type === 'principal.break-glass-used')).toBe(true);
    expect(heard.filter((emf) => JSON.stringify(emf).includes('BreakGlassUses'))).toHaveLength(2);
    const chain = await rig.admin.call('verifyChain', { query: { entity: 'principal#break-glass.alice' } });
    expect(chain.verified).toBe(true);
  });

  test('cannot be replayed, and is refused once it is over', async () => {
    const request = await sign(rig, { method: 'GET', path: '/status' }, BREAK_GLASS);
    expect((await rig.send(request)).status).toBe(200);
    const over = await sign(rig, { method: 'GET', path: '/status' }, OVER);
    await expectRefused([
      ['again', request, 403],
      ['over', over, 403],
    ]);
  });

  test('is not taken away through the API, by whomever', async () => {
    const params = { principal: 'break-glass.alice' };
    const refusal = await refusalOf(rig.admin.call('revokePrincipal', { params, body: { reason: 'test' } }));
    expect(refusal.code).toBe('conflict');
    expect((await glass().call('getStatus')).labscapes.length).toBeGreaterThan(0);
  });

  test('needs no second person for an override; everybody else does', async () => {
    const params = { labscape: site.labscape };
    const body = { rule: 'cool-down' as const, reason: 'test' };
    const confirm = { reason: 'test' };
    const own = await rig.admin.call('proposeOverride', { params, body });
    const again = rig.admin.call('confirmOverride', {
      params: { ...params, override: own.id },
      body: confirm,
    });
    expect((await refusalOf(again)).code).toBe('conflict');
    const proposed = await glass().call('proposeOverride', { params, body });
    const confirmed = await glass().call('confirmOverride', {
      params: { ...params, override: proposed.id },
      body: confirm,
    });
    expect(confirmed).toMatchObject({ status: 'active', confirmedBy: 'break-glass.alice', counts: true });
  });
});

describe('why somebody is refused', () => {
  const ask = (
    principal: string,
    body: { action: string; roles?: ('tenant' | 'operator')[]; tenant?: string; object?: object },
  ) => rig.admin.call('explainAccess', { params: { principal }, body });

  test('is told to administrators, with the policy that decides', async () => {
    const roles: 'tenant'[] = ['tenant'];
    const { tenant } = site;
    expect(await ask('tina', { action: 'allocate', roles, tenant, object: { tenant } })).toMatchObject({
      ...{ allowed: true, decidedBy: ['tenant-own'], why: 'permitted by tenant-own' },
    });
    expect(
      await ask('tina', { action: 'allocate', roles, tenant, object: { tenant: away.tenant } }),
    ).toMatchObject({
      ...{ allowed: false, decidedBy: [] },
      why: 'no policy permits it here: tenant may allocate on its own only',
    });
    expect(await ask('tina', { action: 'overrideRules', roles, tenant })).toMatchObject({
      why: 'no policy permits overrideRules to tenant; admin, operator, break-glass may',
    });
    expect(
      await ask(principalOf(key), { action: 'beat', object: { labscape: site.labscape } }),
    ).toMatchObject({
      ...{ allowed: true, decidedBy: ['agent-own-labscape'] },
    });
    expect(await ask('break-glass.alice', { action: 'overrideRules' })).toMatchObject({
      ...{ allowed: true, decidedBy: ['break-glass-everything'] },
    });
  });

  test('counts a revocation first, and needs an action and roles that exist', async () => {
    await rig.admin.call('revokePrincipal', { params: { principal: 'gone' }, body: { reason: 'test' } });
    expect(await ask('gone', { action: 'readFleet', roles: ['operator'] })).toMatchObject({
      ...{ allowed: false, status: 'revoked', decidedBy: ['operator-fleet'] },
    });
    expect((await refusalOf(ask('tina', { action: 'dance', roles: ['tenant'] }))).code).toBe('invalid-input');
    expect((await refusalOf(ask('tina', { action: 'allocate' }))).code).toBe('invalid-input');
  });
});
