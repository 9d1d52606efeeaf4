import { describe, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import { actionOf } from '../../../lib/http/route-table.ts';
import { type AuthoriseDeps, authorise, TOKEN_BYTES_MAX } from '../../../lib/security/authorise.ts';
import { callerFromContext } from '../../../lib/security/claims.ts';
import { processAuthorizer } from '../../../lib/security/policy-files.ts';
import { tokenVerifier, type Verification } from '../../../lib/security/token-verifier.ts';
import { AUDIENCE, hmacTokenOf, ISSUER, jwksOf, makeKey, tokenOf, unsignedTokenOf } from './issuer-rig.ts';

const key = makeKey('k1');
const nowS = Math.floor(Date.now() / 1000);
const CLAIMS = {
  iss: ISSUER,
  aud: AUDIENCE,
  sub: 'tina',
  iat: nowS,
  exp: nowS + 600,
  roles: ['tenant'],
  tenant: 'acme',
};

const DEPS: AuthoriseDeps = {
  verify: tokenVerifier(
    { issuer: ISSUER, audience: AUDIENCE, jwks: jwksOf(key), stage: 'prod' },
    { nowMs: () => 0 },
  ),
  isRevoked: async () => false,
  authorizer: processAuthorizer(),
  actionOf,
  clock: { now: () => nowS * 1000, monotonicMs: () => 0 },
  reportPolicyErrors: (errors) => {
    throw new Error(errors.join());
  },
};

const ask = (
  authorization: string | undefined,
  deps: Partial<AuthoriseDeps> = {},
  routeKey = 'POST /allocations',
) => authorise({ authorization, routeKey }, { ...DEPS, ...deps });
const bearer = (claims: Readonly<Record<string, unknown>>) => `Bearer ${tokenOf(key, claims)}`;

describe('the authoriser', () => {
  test('lets a good token through and hands its caller on', async () => {
    const verdict = await ask(bearer(CLAIMS));
    expect(verdict).toEqual({
      isAuthorized: true,
      context: { principal: 'tina', roles: 'tenant', tenant: 'acme', expiresAtS: nowS + 600 },
    });
    expect(callerFromContext(verdict.context)).toMatchObject({ principal: 'tina', tenant: 'acme' });
  });

  test.each([
    ['no header', undefined],
    ['an empty header', ''],
    ['no scheme', tokenOf(key, CLAIMS)],
    ['another scheme', `Basic ${tokenOf(key, CLAIMS)}`],
    ['two tokens', `${bearer(CLAIMS)} ${tokenOf(key, CLAIMS)}`],
    ['garbage', 'Bearer garbage'],
    ['algorithm none', `Bearer ${unsignedTokenOf(key, CLAIMS)[0]}`],
    ['HS256 with the public key', `Bearer ${hmacTokenOf(key, CLAIMS)}`],
    ['another issuer', bearer({ ...CLAIMS, iss: 'https://evil.example.org' })],
    ['another audience', bearer({ ...CLAIMS, aud: 'other' })],
    ['an expired token', bearer({ ...CLAIMS, exp: nowS - 60 })],
    ['a token of the future', bearer({ ...CLAIMS, nbf: nowS + 60 })],
    ['an unknown key', `Bearer ${tokenOf(makeKey('k2'), CLAIMS)}`],
    ['no expiry', bearer({ ...CLAIMS, exp: undefined })],
    ['no roles', bearer({ ...CLAIMS, roles: undefined })],
    ['no tenant', bearer({ ...CLAIMS, tenant: undefined })],
    ['no sub', bearer({ ...CLAIMS, sub: undefined })],
  ])('refuses %s as unauthenticated', async (_, authorization) => {
    const verdict = await ask(authorization);
    expect(verdict).toMatchObject({ isAuthorized: false, context: { code: 'unauthenticated' } });
  });

  test('refuses a token above 8 KB before it is looked at', async () => {
    const verify = jest.fn(async (): Promise<Verification> => ({ claims: CLAIMS }));
    const verdict = await ask(`Bearer ${'a'.repeat(TOKEN_BYTES_MAX)}`, { verify });
    expect(verdict).toMatchObject({ isAuthorized: false, context: { code: 'unauthenticated' } });
    expect(verify).not.toHaveBeenCalled();
  });

  test('goes by its own clock, with 5 s of skew', async () => {
    const at = (s: number) => ({ clock: { now: () => s * 1000, monotonicMs: () => 0 } });
    const claims = { ...CLAIMS, nbf: nowS };
    const outcomes = [];
    for (const s of [nowS - 6, nowS - 5, nowS + 604, nowS + 605]) {
      outcomes.push((await ask(bearer(claims), at(s))).isAuthorized);
    }
    expect(outcomes).toEqual([false, true, true, false]);
  });

  test('refuses a revoked principal, by its name', async () => {
    const verdict = await ask(bearer(CLAIMS), { isRevoked: async (principal) => principal === 'tina' });
    expect(verdict).toMatchObject({
      isAuthorized: false,
      context: { code: 'principal-revoked', principal: 'tina' },
    });
  });

  test('refuses routes that the roles allow nowhere, public ones and unknown ones', async () => {
    for (const routeKey of [
      'GET /resources',
      'POST /labscapes',
      'GET /health',
      'GET /nothing',
      '$default',
      '',
    ]) {
      expect(await ask(bearer(CLAIMS), {}, routeKey)).toMatchObject({
        isAuthorized: false,
        context: { code: 'forbidden' },
      });
    }
  });

  test('gives no verdict when the store does not answer: one would be cached', async () => {
    const isRevoked = async () => {
      throw new Error('store unreachable');
    };
    await expect(ask(bearer(CLAIMS), { isRevoked })).rejects.toThrow('store unreachable');
  });

  test('denies and reports when a policy fails', async () => {
    const reported: string[] = [];
    const verdict = await ask(bearer(CLAIMS), {
      authorizer: { decide: () => ({ allowed: false, errors: ['policy0: no such attribute'] }) },
      reportPolicyErrors: (errors) => reported.push(...errors),
    });
    expect(verdict.isAuthorized).toBe(false);
    expect(reported).toEqual(['policy0: no such attribute']);
  });

  test('never throws for a bad token, and never repeats it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary' }), fc.jsonValue(), async (noise, claims) => {
        const made = bearer({ c: claims });
        for (const authorization of [noise, `Bearer ${noise}`, made, made.slice(0, noise.length)]) {
          const verdict = await ask(authorization);
          expect(verdict.isAuthorized).toBe(false);
          expect(JSON.stringify(verdict)).not.toContain(made.slice(7));
        }
      }),
      { numRuns: 200 },
    );
  });
});
