import { describe, expect, test } from '@jest/globals';
import { callerFromClaims } from '../../../lib/security/claims.ts';
import { ClaimsMap, mapClaims } from '../../../lib/security/claims-map.ts';

const TOKEN = { sub: 'tina', exp: 2_000_000_000 };
const outcome = (claims: Record<string, unknown>, map: object = {}) =>
  callerFromClaims(mapClaims({ ...TOKEN, ...claims }, ClaimsMap.parse(map)));

describe('claims of an issuer that says things in its own way', () => {
  test('are as they stand unless something else is configured', () => {
    expect(outcome({ roles: ['tenant'], tenant: 'acme' }).caller).toMatchObject({
      ...{ principal: 'tina', roles: ['tenant'], tenant: 'acme' },
    });
    for (const roles of ['admin', ['admin', 'root'], undefined])
      expect(outcome({ roles }).caller).toBeUndefined();
  });

  test('are found deep inside, or under a name with dots and slashes', () => {
    const deep = { roles: ['realm_access', 'roles'], rolePrefix: 'ls-' };
    expect(outcome({ realm_access: { roles: ['ls-admin', 'offline_access'] } }, deep).caller?.roles).toEqual([
      'admin',
    ]);
    const named = { roles: 'https://example.com/roles', principal: 'oid' };
    const claims = { 'https://example.com/roles': ['operator'], oid: '00000000-aaaa-bbbb-cccc-000000000000' };
    expect(outcome(claims, named).caller?.principal).toBe(claims.oid);
  });

  test('map groups to roles, by prefix and by name, and pass over the others', () => {
    const map = { roles: 'groups', rolePrefix: 'ls-', roleValues: { 'Machine room': 'operator' } };
    expect(
      outcome({ groups: ['Machine room', 'Cooks', 'ls-tenant'], tenant: 'acme' }, map).caller?.roles,
    ).toEqual(['operator', 'tenant']);
    expect(outcome({ groups: 'ls-admin, everybody' }, map).caller?.roles).toEqual(['admin']);
    // Without the prefix, or with another role than a token may say, it is a group like any other.
    for (const groups of [
      ['admin'],
      ['ls-break-glass'],
      ['ls-'],
      ['constructor', '__proto__'],
      7,
      [['ls-admin']],
    ])
      expect(outcome({ groups }, map).caller).toBeUndefined();
  });

  test('never come from what every object has', () => {
    expect(outcome({}, { roles: ['constructor', 'name'], principal: '__proto__' }).caller).toBeUndefined();
    expect(() => ClaimsMap.parse({ roleValues: { x: 'break-glass' } })).toThrow();
  });

  test('that give no id, or no tenant to a tenant, make nobody', () => {
    expect(
      outcome({ roles: ['admin'], mail: 'ada@example.com' }, { principal: 'mail' }).caller,
    ).toBeUndefined();
    expect(outcome({ roles: ['tenant'], tenant: 'acme' }, { tenant: 'org' }).caller).toBeUndefined();
    expect(outcome({ roles: ['tenant'], org: 'acme' }, { tenant: 'org' }).caller?.tenant).toBe('acme');
  });
});
