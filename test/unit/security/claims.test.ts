import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type Caller, ROLES } from '../../../lib/security/caller.ts';
import { callerFromClaims, callerFromContext, callerToContext } from '../../../lib/security/claims.ts';

const GOOD = { sub: 'tina', exp: 2_000_000_000, roles: ['tenant'], tenant: 'acme' };

describe('claims', () => {
  test('make a caller', () => {
    expect(callerFromClaims(GOOD).caller).toEqual({
      principal: 'tina',
      roles: ['tenant'],
      tenant: 'acme',
      expiresAtS: 2_000_000_000,
    });
  });

  test.each([
    ['no sub', { ...GOOD, sub: undefined }],
    ['a sub that is no id', { ...GOOD, sub: 'Tina@example.org' }],
    ['an empty sub', { ...GOOD, sub: '' }],
    ['a long sub', { ...GOOD, sub: 'a'.repeat(41) }],
    ['no expiry', { ...GOOD, exp: undefined }],
    ['no roles', { ...GOOD, roles: undefined }],
    ['empty roles', { ...GOOD, roles: [] }],
    ['an unknown role', { ...GOOD, roles: ['tenant', 'root'] }],
    ['roles in one text', { ...GOOD, roles: 'tenant' }],
    ['a tenant without its tenant', { ...GOOD, tenant: undefined }],
    ['a tenant that is no id', { ...GOOD, tenant: '*' }],
    ['an agent without its labscape', { ...GOOD, roles: ['agent'] }],
    ['an agent that is also admin, without its labscape', { ...GOOD, roles: ['agent', 'admin'] }],
    ['nothing', undefined],
    ['a list', [GOOD]],
  ])('with %s make none', (_, claims) => {
    expect(callerFromClaims(claims)).toMatchObject({ caller: undefined, reason: expect.any(String) });
  });

  test('of a scope without its role are dropped, roles named twice count once', () => {
    const claims = { ...GOOD, roles: ['operator', 'operator'], labscape: 'north', extra: true };
    expect(callerFromClaims(claims).caller).toEqual({
      principal: 'tina',
      roles: ['operator'],
      expiresAtS: 2_000_000_000,
    });
  });
});

describe('the authoriser context', () => {
  const id = fc.stringMatching(/^[a-z0-9-]{1,40}$/);
  const caller = fc
    .record({ principal: id, roles: fc.subarray([...ROLES], { minLength: 1 }), tenant: id, labscape: id })
    .map(
      ({ principal, roles, tenant, labscape }): Caller => ({
        principal,
        roles,
        ...(roles.includes('tenant') ? { tenant } : {}),
        ...(roles.includes('agent') ? { labscape } : {}),
        expiresAtS: 1_800_000_000,
      }),
    );

  test('brings the caller to the handler unchanged, whether the gateway keeps numbers or not', () => {
    fc.assert(
      fc.property(caller, (who) => {
        const context = callerToContext(who);
        const asText = Object.fromEntries(Object.entries(context).map(([k, v]) => [k, String(v)]));
        expect(callerFromContext(context)).toEqual(who);
        expect(callerFromContext(asText)).toEqual(who);
      }),
    );
  });

  test('of anybody else makes no caller', () => {
    const context = { principal: 'tina', roles: 'tenant', tenant: 'acme', expiresAtS: 1 };
    for (const wrong of [
      undefined,
      null,
      'admin',
      {},
      { ...context, roles: '' },
      { ...context, roles: 'tenant,' },
      { ...context, roles: 'admin,root' },
      { ...context, tenant: undefined },
      { ...context, expiresAtS: 'soon' },
      { code: 'forbidden', detail: 'no' },
    ]) {
      expect(callerFromContext(wrong)).toBeUndefined();
    }
  });
});
