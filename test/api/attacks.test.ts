import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { importJWK, SignJWT } from 'jose';
import type { MintRequest } from '../../infra/local/gateway/issuer.ts';
import { Problem } from '../../lib/schemas/problem.ts';
import type { KeyFile } from '../../lib/schemas/signing.ts';
import { type Attack, Besieged, principalOf } from './attack-rig.ts';
import { problemOf, type RawRequest, type Rig, refusalOf } from './rig.ts';
import { goodRequest, type Names, routes } from './samples.ts';
import { sign, signing } from './signing-rig.ts';
import type { Site } from './site.ts';

/**
 * Attacks on signatures and tokens, each against the whole control plane: refused with the right code, nothing changed
 * in either table, and the refusal on record.
 */

let besieged: Besieged;
let rig: Rig;
let site: Site;
let mine: Names;
let theirs: Names;
let key: KeyFile;

const guarded = routes.filter((route) => route.action !== 'public');
const json = { 'content-type': 'application/json' };

beforeAll(async () => {
  besieged = await Besieged.start();
  ({ rig, site, mine, theirs, key } = besieged);
});
afterAll(() => besieged?.stop());

describe('an agent that signs', () => {
  test('beats, reports and reads as one with a token does', async () => {
    const agent = signing(rig, key);
    const body = JSON.parse(besieged.beat().body?.toString() ?? '');
    await agent.call('beat', { params: { labscape: site.labscape }, body });
    expect((await agent.call('getResource', { params: { resource: mine.resource } })).id).toBe(mine.resource);
    expect((await rig.send(await sign(rig, besieged.report(), key))).status).toBe(200);
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
    for (let i = 0; i < 3; i += 1)
      expect((await rig.send(await sign(rig, besieged.beat(), key))).status).toBe(200);
    expect(rig.host.counters()['authorise-signed.UpdateItem'] ?? 0).toBe(before);
  });
});

describe('a signed request that is not what was signed', () => {
  test('is refused, whatever was changed', async () => {
    const good = () => sign(rig, besieged.report(), key);
    const without = async (name: string): Promise<RawRequest> => {
      const { headers = {}, ...rest } = await good();
      return { ...rest, headers: Object.fromEntries(Object.entries(headers).filter(([at]) => at !== name)) };
    };
    const { host } = new URL(rig.host.url);
    const elsewhere = host.replace('127.0.0.1', 'localhost');
    const other = { ...besieged.report(), body: '{"agent":"host-1","epoch":2}' };
    await besieged.expectRefused([
      ['another body', { ...(await good()), body: other.body }, 401],
      ['a body cut off', { ...(await good()), body: '' }, 401],
      [
        'a body where none was',
        {
          ...(await sign(rig, besieged.reading(), key)),
          headers: { ...(await sign(rig, besieged.reading(), key)).headers, ...json },
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
      ['another query', { ...(await good()), path: `/signed${besieged.report().path}?x=1` }, 403],
      ['signed for another host', await sign(rig, besieged.report(), key, { host: 'api.example.com' }), 403],
      [
        'sent to another host',
        { ...(await good()), headers: { ...(await good()).headers, host: elsewhere } },
        403,
      ],
      ['without its digest', await without('content-digest'), 403],
    ]);
    await besieged.expectRefused(
      [
        ['without its signature', await without('signature'), 401],
        ['without what it covers', await without('signature-input'), 401],
        ['nothing of either', { ...besieged.report(), path: `/signed${besieged.report().path}` }, 401],
        ['signed, on the route for tokens', { ...(await good()), path: besieged.report().path }, 401],
        [
          'a token, on the route for signatures',
          {
            ...besieged.report(),
            path: `/signed${besieged.report().path}`,
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
    const sent = await sign(rig, besieged.report(), key);
    const read = await sign(rig, besieged.reading(), key);
    const heard = await sign(rig, besieged.beat(), key);
    for (const request of [sent, read, heard]) expect((await rig.send(request)).status).toBe(200);
    const answers = await besieged.expectRefused([
      ['a report again', sent, 403],
      ['a reading again', read, 403],
      ['a beat again', heard, 409],
      ['a nonce for something else', { ...read, path: '/signed/status' }, 403],
      ['from two minutes ago', await sign(rig, besieged.report(), key, { clockOffS: -125 }), 403],
      ['from a minute ahead', await sign(rig, besieged.report(), key, { clockOffS: 60 }), 403],
    ]);
    expect(Problem.parse(JSON.parse(answers[2]?.text ?? '')).code).toBe('replayed-heartbeat');
  });

  test('never lets another in: what the gateway heard a moment ago is forgotten', async () => {
    const first = await sign(rig, besieged.reading(), key);
    expect((await rig.send(first)).status).toBe(200);
    const others = [`/signed/resources/${theirs.resource}`, `/signed/resources/${mine.resource}?x=1`];
    await besieged.expectRefused(others.map((path) => [path, { ...first, path }, 403]));
  });

  test('of twenty that come at once with one number, one is let in', async () => {
    const request = await sign(rig, besieged.reading(), key);
    const answers = await Promise.all(Array.from({ length: 20 }, () => rig.send(request)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 403)).toHaveLength(19);
  });
});

describe('somebody else’s', () => {
  test('a tenant is refused on every route with the names of another', async () => {
    const token = await rig.token({ sub: 'tina', roles: ['tenant'], tenant: site.tenant });
    await besieged.expectRefused(
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
    await besieged.expectRefused(await Promise.all(attacks));
  });
});

describe('tokens', () => {
  test('of an unknown key, not good yet, or that claim what no issuer may say, are refused', async () => {
    const stored = JSON.parse(readFileSync(join(besieged.folder, 'issuer-key.json'), 'utf8'));
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
    await besieged.expectRefused(
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
    const answers = await besieged.expectRefused([['revoked', request, 403]]);
    expect(answers.map((answer) => problemOf(answer).code)).toEqual(['principal-revoked']);
  });
});
