import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { decodeJwt, decodeProtectedHeader, generateKeyPair, SignJWT, UnsecuredJWT } from 'jose';
import { type MintRequest, openIssuer } from '../../infra/local/gateway/issuer.ts';
import type { TokenRole as Role } from '../../lib/security/caller.ts';
import { even, problemOf, type RawRequest, type Rig, refusalOf, startRig, until } from './rig.ts';
import { goodRequest, type Names, NO_INCIDENT, routes } from './samples.ts';
import { newSite, type Site } from './site.ts';

let rig: Rig;
let site: Site;
let away: Site;
let names: Names;
/** Good for a few seconds more, and let in at the start, so that the gateway remembers it. */
let dying: string;
let identities: Readonly<Record<Role, MintRequest>>;

beforeAll(async () => {
  rig = await startRig();
  site = await newSite(rig);
  away = await newSite(rig);
  const { id: allocation } = await site.place(10);
  names = {
    ...{ labscape: site.labscape, resource: `${site.id}-r1`, tenant: site.tenant, allocation },
    ...{ principal: 'somebody', recovery: 'none', override: 'none', plan: 'none', run: 'none' },
    incident: NO_INCIDENT,
  };
  identities = {
    admin: { sub: 'ada', roles: ['admin'] },
    operator: { sub: 'olga', roles: ['operator'] },
    tenant: { sub: 'tina', roles: ['tenant'], tenant: site.tenant },
    agent: { sub: 'ag', roles: ['agent'], labscape: site.labscape },
  };
  dying = await rig.host.mint({ ...identities.admin, sub: 'dying', ttlSeconds: 0 });
  expect((await rig.send({ method: 'GET', path: '/status', token: dying })).status).toBe(200);
});
afterAll(() => rig.stop());

/** Who may do what, as the product promises it; the policies are written elsewhere. */
const ALLOWED: Readonly<Record<string, readonly Role[]>> = {
  readFleet: ['admin', 'operator'],
  manageLabscapes: ['admin'],
  beat: ['admin', 'agent'],
  manageTenants: ['admin', 'operator'],
  listTenants: ['admin'],
  readTenant: ['admin', 'operator', 'tenant'],
  managePrincipals: ['admin'],
  manageBackups: ['admin'],
  manageResources: ['admin', 'operator'],
  operateResources: ['admin', 'operator'],
  overrideRules: ['admin', 'operator'],
  rebalance: ['admin', 'operator'],
  readResource: ['admin', 'operator', 'agent'],
  readAssignments: ['admin', 'operator', 'agent'],
  report: ['admin', 'agent'],
  allocate: ['admin', 'operator', 'tenant'],
  readAllocations: ['admin', 'operator', 'tenant'],
  readAudit: ['admin', 'operator'],
  readIncidents: ['admin', 'operator'],
  manageIncidents: ['admin'],
};
const ABSENT = new Set([
  ...['getRecovery', 'getCapsule', 'getPlan', 'listPlanRuns', 'getPlanRun', 'getIncident'],
  // Nothing is sealed yet.
  'proveEvent',
]);
const ROLES: readonly Role[] = ['admin', 'operator', 'tenant', 'agent'];
const guarded = routes.filter((route) => route.action !== 'public');

/** The statuses of refused requests, in order; each must be a problem, and none may have an effect. */
async function refusals(requests: readonly RawRequest[]): Promise<number[]> {
  const before = await rig.state();
  const statuses: number[] = [];
  for (const request of requests) statuses.push(problemOf(await rig.send(request)).status);
  expect(await rig.state()).toEqual(before);
  return statuses;
}

// First: what the gateway remembers, it forgets after 30 s.
test('a token that expires while the gateway remembers it is refused', async () => {
  const refused = await until('the end of the token', async () => {
    const answer = await rig.send({ method: 'GET', path: '/status', token: dying });
    return answer.status === 200 ? undefined : answer;
  });
  expect([refused.status, problemOf(refused).code]).toEqual([401, 'unauthenticated']);
});

describe('roles', () => {
  test('every route has an action that the table knows', () => {
    for (const { action } of guarded) expect(Object.keys(ALLOWED)).toContain(action);
  });

  test.each(ROLES.slice(1))('%s is refused every route that is not its own', async (role) => {
    const token = await rig.token(identities[role]);
    const foreign = guarded.filter((route) => ALLOWED[route.action]?.includes(role) !== true);
    const statuses = await refusals(foreign.map((route) => ({ ...goodRequest(route, names), token })));
    expect(statuses).toEqual(foreign.map(() => 403));
  });

  // Last in this block: these requests have effects.
  test.each(ROLES)('%s is let in on every route of its own', async (role) => {
    const token = await rig.token(identities[role]);
    const own = guarded.filter((route) => ALLOWED[route.action]?.includes(role) === true);
    const reading = own.filter((route) => route.method === 'GET');
    for (const route of reading) {
      const answer = await rig.send({ ...goodRequest(route, names), token });
      // There is none of these to read.
      const expected = ABSENT.has(route.operation) ? 404 : 200;
      expect([route.operation, answer.status]).toEqual([route.operation, expected]);
    }
    for (const route of own.filter((r) => r.method !== 'GET' && r.operation !== 'releaseAllocation')) {
      const { status } = await rig.send({ ...goodRequest(route, names), token });
      expect([route.operation, [401, 403].includes(status)]).toEqual([route.operation, false]);
    }
  });
});

describe('strangers', () => {
  test('are let in nowhere but on the public routes', async () => {
    const statuses = await refusals(guarded.map((route) => goodRequest(route, names)));
    expect(statuses).toEqual(guarded.map(() => 401));
    for (const route of routes.filter((r) => r.action === 'public'))
      expect((await rig.send(goodRequest(route, names))).status).toBe(200);
  });

  test('reach nothing by another Host, an unknown route or method', async () => {
    const token = await rig.token(identities.admin);
    const path = '/status';
    const statuses = await refusals([
      { method: 'GET', path, token, headers: { host: 'evil.example' } },
      { method: 'GET', path, token, headers: { host: '127.0.0.1' } },
      { method: 'GET', path: '/nothing', token },
      { method: 'DELETE', path, token },
      { method: 'GET', path: '//status', token },
      { method: 'GET', path: '/STATUS', token },
    ]);
    expect(statuses).toEqual([403, 403, 404, 404, 404, 404]);
  });
});

describe('tokens', () => {
  test('that are not ours, not for us, or no longer good are refused on every route', async () => {
    const good = await rig.token(identities.admin);
    const claims = decodeJwt(good);
    const { kid = '' } = decodeProtectedHeader(good);
    const forge = async (alg: string, payload = claims) =>
      new SignJWT(payload)
        .setProtectedHeader({ alg, kid, typ: 'JWT' })
        .sign((await generateKeyPair(alg)).privateKey);
    const ours = await openIssuer(join(rig.host.dataDir, 'issuer-key.json'));
    const mint = (issuer: string, audience: string) => ours.minter(issuer, audience)(identities.admin);
    const [header = '', payload = '', signature = ''] = good.split('.');
    const altered = Buffer.from(JSON.stringify({ ...claims, sub: 'eve' })).toString('base64url');
    const secret = new TextEncoder().encode(ours.keys);
    const tokens = {
      expired: await rig.host.mint({ ...identities.admin, ttlSeconds: -60 }),
      'of another key': await forge('EdDSA'),
      'of another key and algorithm': await forge('RS256'),
      'signed with the public key as a secret': await new SignJWT(claims)
        .setProtectedHeader({ alg: 'HS256', kid })
        .sign(secret),
      unsigned: new UnsecuredJWT(claims).encode(),
      'of another issuer': await mint('https://issuer.example', String(claims.aud)),
      'for another audience': await mint(String(claims.iss), 'somebody-else'),
      altered: `${header}.${altered}.${signature}`,
      'without its signature': `${header}.${payload}.`,
      'cut short': good.slice(0, -4),
      'no token': 'abc',
      'very long': 'a'.repeat(9_000),
    };
    const before = await rig.state();
    for (const [what, token] of Object.entries(tokens)) {
      for (const route of guarded) {
        const answer = await rig.send({ ...goodRequest(route, names), token });
        expect([what, route.operation, problemOf(answer).status]).toEqual([what, route.operation, 403]);
      }
    }
    expect(await rig.state()).toEqual(before);
  });

  test('that claim too little or nonsense are refused', async () => {
    const mint = (claims: object) => rig.host.mint(claims as MintRequest);
    const tokens = [
      await mint({ sub: 'x', roles: [] }),
      await mint({ sub: 'x', roles: ['root'] }),
      await mint({ sub: 'x', roles: ['tenant'] }),
      await mint({ sub: 'x', roles: ['agent'] }),
      await mint({ sub: 'X Y', roles: ['admin'] }),
      await mint({ sub: '', roles: ['admin'] }),
      await mint({ sub: 'x', roles: ['tenant'], tenant: 'a/../b' }),
    ];
    const path = `/allocations?tenant=${site.tenant}`;
    const statuses = await refusals(tokens.map((token) => ({ method: 'GET', path, token })));
    expect(statuses).toEqual(tokens.map(() => 403));
  });

  test('count only in the Authorization header, as Bearer', async () => {
    const token = await rig.token(identities.admin);
    const statuses = await refusals([
      { method: 'GET', path: `/status?access_token=${token}` },
      { method: 'GET', path: '/status', headers: { authorization: `Basic ${token}` } },
      { method: 'GET', path: '/status', headers: { authorization: token } },
      { method: 'GET', path: '/status', headers: { authorization: `Bearer ${token}, Bearer ${token}` } },
      { method: 'GET', path: '/status', headers: { cookie: `authorization=${token}` } },
    ]);
    expect(statuses).toEqual([401, 403, 403, 403, 401]);
  });
});

describe('isolation', () => {
  test('a tenant neither sees nor touches what is not its own', async () => {
    const theirs = await away.place(10);
    const token = await rig.token(identities.tenant);
    const body = JSON.stringify({ tenant: away.tenant, demand: { ...even(0), processing: 1 } });
    const json = { 'content-type': 'application/json' };
    const path = `/allocations/${theirs.id}`;
    const named = `?tenant=${away.tenant}`;
    const renew = { method: 'POST', headers: json, body: '{"leaseMs":60000}', token };
    const statuses = await refusals([
      { method: 'GET', path: `/tenants/${away.tenant}`, token },
      { method: 'GET', path: '/tenants/nobody', token },
      { method: 'POST', path: '/allocations', headers: { ...json, 'idempotency-key': 'x' }, body, token },
      { method: 'GET', path: `/allocations${named}`, token },
      { method: 'GET', path: `${path}${named}`, token },
      { method: 'GET', path, token },
      { method: 'DELETE', path: `${path}${named}`, token },
      { method: 'DELETE', path, token },
      { ...renew, path: `${path}/renew${named}` },
      { ...renew, path: `${path}/renew` },
    ]);
    // What is somebody else's and what does not exist look the same.
    expect(statuses).toEqual(Array(10).fill(404));
    expect((await away.allocation(theirs.id)).status).toBe('placed');
    const own = rig.as(identities.tenant);
    expect((await own.call('listAllocations')).items.every((a) => a.tenant === site.tenant)).toBe(true);
  });

  test('an agent speaks for its own labscape only', async () => {
    const token = await rig.token(identities.agent);
    const there = { ...names, labscape: away.labscape, resource: `${away.id}-r1` };
    const own = guarded.filter((route) => ALLOWED[route.action]?.includes('agent') === true);
    const statuses = await refusals(own.map((route) => ({ ...goodRequest(route, there), token })));
    expect(statuses).toEqual(own.map((route) => (route.operation === 'beat' ? 403 : 404)));
  });

  test('two roles give the rights of both, within the scope of each', async () => {
    const both = rig.as({
      sub: 'bo',
      roles: ['tenant', 'agent'],
      tenant: site.tenant,
      labscape: away.labscape,
    });
    expect((await both.call('getTenant', { params: { tenant: site.tenant } })).id).toBe(site.tenant);
    expect((await both.call('getResource', { params: { resource: `${away.id}-r1` } })).labscape).toBe(
      away.labscape,
    );
    for (const call of [
      () => both.call('getTenant', { params: { tenant: away.tenant } }),
      () => both.call('getResource', { params: { resource: `${site.id}-r1` } }),
    ])
      expect((await refusalOf(call())).status).toBe(404);
  });
});

describe('a revoked principal', () => {
  const revoke = (principal: string, operation: 'revokePrincipal' | 'reinstatePrincipal') =>
    rig.admin.call(operation, { params: { principal }, body: { reason: 'test' } });

  test.each(ROLES)('%s is refused from the next request on, and let in again', async (role) => {
    const identity = { ...identities[role], sub: `once-${role}` };
    const token = await rig.token(identity);
    const own = guarded.filter((route) => ALLOWED[route.action]?.includes(role) === true);
    const reading = own.filter((route) => route.method === 'GET');
    const requests = own.map((route) => ({ ...goodRequest(route, names), token }));
    // The gateway remembers that it let these in.
    for (const route of reading) await rig.send({ ...goodRequest(route, names), token });
    expect((await revoke(identity.sub, 'revokePrincipal')).status).toBe('revoked');
    const statuses = await refusals(requests);
    expect(statuses).toEqual(requests.map(() => 403));
    // It learns of its revocation only, not of what else is wrong.
    const nonsense = await rig.send({ method: 'GET', path: `${pathOfFirst(reading)}?nonsense=1`, token });
    expect(problemOf(nonsense).code).toBe('principal-revoked');
    expect((await revoke(identity.sub, 'reinstatePrincipal')).status).toBe('active');
    for (const route of reading)
      expect((await rig.send({ ...goodRequest(route, names), token })).status).not.toBe(403);
  });

  const pathOfFirst = (reading: typeof guarded) =>
    reading[0] === undefined ? '' : (goodRequest(reading[0], names).path.split('?')[0] ?? '');

  test('is revoked once, has its reason, and nobody revokes themselves', async () => {
    await revoke('eve', 'revokePrincipal');
    const events = await rig.eventCount();
    expect(await revoke('eve', 'revokePrincipal')).toMatchObject({ status: 'revoked', reason: 'test' });
    expect(await rig.eventCount()).toBe(events);
    const refusal = await refusalOf(revoke('root', 'revokePrincipal'));
    expect([refusal.status, refusal.code]).toEqual([409, 'conflict']);
    expect((await rig.admin.call('getPrincipal', { params: { principal: 'nobody-yet' } })).status).toBe(
      'active',
    );
    const chain = await rig.admin.call('verifyChain', { query: { entity: 'principal#eve' } });
    expect(chain).toMatchObject({ verified: true, events: 1 });
  });
});
