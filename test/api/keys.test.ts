import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { KeyFile } from '../../lib/schemas/signing.ts';
import { type Attack, Besieged, principalOf, thumbprintOf } from './attack-rig.ts';
import { collect, type Rig, refusalOf } from './rig.ts';
import type { Names } from './samples.ts';
import { everyItem, newKey, sign, signing } from './signing-rig.ts';
import type { Site } from './site.ts';

/** Keys of agents, keys for when there is no provider, and who may do what. */

const BREAK_GLASS = newKey('break-glass.alice');
const OVER = newKey('break-glass.bob');
const inDays = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString();

let besieged: Besieged;
let rig: Rig;
let site: Site;
let away: Site;
let mine: Names;
let key: KeyFile;

beforeAll(async () => {
  besieged = await Besieged.start([
    { name: 'alice', publicKey: BREAK_GLASS.x, expiresAt: inDays(30) },
    { name: 'bob', publicKey: OVER.x, expiresAt: inDays(-1) },
  ]);
  ({ rig, site, away, mine, key } = besieged);
});
afterAll(() => besieged?.stop());

describe('keys', () => {
  test('nobody registered, or in the name of another, open nothing', async () => {
    const stranger = newKey(`${site.labscape}.host-1`);
    const posing = { ...stranger, kid: key.kid };
    const wrongScope = { ...key, kid: key.kid.replace(site.labscape, away.labscape) };
    const attacks = await Promise.all(
      [stranger, posing, wrongScope, OVER].map(
        async (one, i): Promise<Attack> => [`key ${i}`, await sign(rig, besieged.report(), one), 403],
      ),
    );
    await besieged.expectRefused(attacks);
  });

  test('change over: two are good at once, then the new one alone, and what is over stays over', async () => {
    const principal = `${site.labscape}.host-2`;
    const [old, next, third] = [newKey(principal), newKey(principal), newKey(principal)];
    await besieged.register(old);
    await besieged.register(next, 60_000);
    const read = { params: { resource: mine.resource } };
    for (const one of [old, next])
      expect((await signing(rig, one).call('getResource', read)).id).toBe(mine.resource);
    expect((await refusalOf(besieged.register(third))).code).toBe('conflict');
    await rig.admin.call('revokeKey', {
      params: { principal, key: thumbprintOf(old) },
      body: { reason: 'changed over' },
    });
    expect((await signing(rig, next).call('getResource', read)).id).toBe(mine.resource);
    await besieged.register(third, 0);
    await besieged.expectRefused([
      ['revoked', await sign(rig, besieged.reading(), old), 403],
      ['ended by the next one', await sign(rig, besieged.reading(), next), 403],
    ]);
    expect((await refusalOf(besieged.register(old))).code).toBe('conflict');
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
    await besieged.register(own);
    const principal = principalOf(own);
    const read = { params: { resource: mine.resource } };
    expect((await signing(rig, own).call('getResource', read)).id).toBe(mine.resource);
    await rig.admin.call('revokePrincipal', { params: { principal }, body: { reason: 'test' } });
    await besieged.expectRefused([['the principal', await sign(rig, besieged.reading(), own), 403]]);
    await rig.admin.call('reinstatePrincipal', { params: { principal }, body: { reason: 'test' } });
    expect((await signing(rig, own).call('getResource', read)).id).toBe(mine.resource);
    await rig.admin.call('revokeKey', {
      params: { principal, key: thumbprintOf(own) },
      body: { reason: 'test' },
    });
    await besieged.expectRefused([['the key', await sign(rig, besieged.report(), own), 403]]);
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
    const foreign = await sign(rig, besieged.reading(), own);
    const answers = await besieged.expectRefused([['a resource of another labscape', foreign, 404]]);
    expect(answers).toHaveLength(1);
    const hello = {
      ...{ ...besieged.beat(), path: '/labscapes/with-key/heartbeats' },
      body: JSON.stringify({ agent: 'labscape', seq: 1, resources: [] }),
    };
    const { status } = await rig.send(await sign(rig, hello, own));
    expect([200, 400]).toContain(status);
    const bad = rig.admin.call('joinLabscape', { body: { id: 'bad-key', publicKey: 'none' } });
    expect((await refusalOf(bad)).code).toBe('invalid-input');
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
    await besieged.expectRefused([
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
