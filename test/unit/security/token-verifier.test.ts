import { describe, expect, jest, test } from '@jest/globals';
import {
  type FetchKeys,
  type IssuerConfig,
  IssuerUnreachable,
  KEYS_FRESH_S,
  KEYS_RETRY_S,
  tokenVerifier,
} from '../../../lib/security/token-verifier.ts';
import { AUDIENCE, hmacTokenOf, ISSUER, jwksOf, makeKey, tokenOf, unsignedTokenOf } from './issuer-rig.ts';

const key = makeKey('k1');
const nowS = Math.floor(Date.now() / 1000);
const CLAIMS = { iss: ISSUER, aud: AUDIENCE, sub: 'tina', iat: nowS, exp: nowS + 600, roles: ['admin'] };
const CONFIG: IssuerConfig = { issuer: ISSUER, audience: AUDIENCE, jwks: jwksOf(key), stage: 'prod' };

const verify = tokenVerifier(CONFIG, { nowMs: () => 0 });
const reasonFor = async (token: string) => {
  const verified = await verify(token);
  return verified.claims === undefined ? verified.reason : 'GOOD';
};

describe('a token', () => {
  test('of the issuer for us is good, in each pinned algorithm', async () => {
    for (const alg of ['RS256', 'ES256', 'EdDSA'] as const) {
      const its = makeKey(alg, alg);
      const verifier = tokenVerifier({ ...CONFIG, jwks: jwksOf(its) }, { nowMs: () => 0 });
      expect(await verifier(tokenOf(its, CLAIMS))).toMatchObject({ claims: { sub: 'tina' } });
    }
  });

  test('may name several audiences, if we are one', async () => {
    expect(await reasonFor(tokenOf(key, { ...CLAIMS, aud: ['other', AUDIENCE] }))).toBe('GOOD');
  });

  test.each([
    ['of another issuer', tokenOf(key, { ...CLAIMS, iss: 'https://evil.example.org' }), 'another issuer'],
    ['without an issuer', tokenOf(key, { ...CLAIMS, iss: undefined }), 'another issuer'],
    ['for another audience', tokenOf(key, { ...CLAIMS, aud: 'other' }), 'another audience'],
    ['without an audience', tokenOf(key, { ...CLAIMS, aud: undefined }), 'another audience'],
    ['that expired 6 s ago', tokenOf(key, { ...CLAIMS, exp: nowS - 7 }), 'expired'],
    ['that begins in a minute', tokenOf(key, { ...CLAIMS, nbf: nowS + 60 }), 'not valid yet'],
    ['of an unknown key', tokenOf(makeKey('k2'), CLAIMS), 'not valid'],
    ['of a wrong key under a known id', tokenOf(makeKey('k1'), CLAIMS), 'not valid'],
    ['without a key id', tokenOf(key, CLAIMS, { kid: undefined }), 'not valid'],
    ['signed with HMAC of the public key', hmacTokenOf(key, CLAIMS), 'not valid'],
    ['with critical extensions', tokenOf(key, CLAIMS, { crit: ['exp2'], exp2: 1 }), 'not valid'],
    ['with exp as text', tokenOf(key, { ...CLAIMS, exp: 'tomorrow' }), 'not valid'],
  ])('%s is refused', async (_, token, reason) => {
    expect(await reasonFor(token)).toContain(reason);
  });

  test('without a signature is refused, however "none" is written', async () => {
    const tokens = ['none', 'None', 'NONE', ''].flatMap((alg) => unsignedTokenOf(key, CLAIMS, alg));
    for (const token of tokens) expect(await reasonFor(token)).toBe('the token is not valid');
  });

  test('within the skew of 5 s is good', async () => {
    expect(await reasonFor(tokenOf(key, { ...CLAIMS, exp: nowS - 1, nbf: nowS + 3 }))).toBe('GOOD');
  });

  test('in an algorithm that is sound but not pinned is refused', async () => {
    const its = makeKey('k384', 'ES384');
    const verifier = tokenVerifier({ ...CONFIG, jwks: jwksOf(its) }, { nowMs: () => 0 });
    expect(await verifier(tokenOf(its, CLAIMS))).toMatchObject({ claims: undefined });
  });

  test('changed anywhere is refused', async () => {
    const token = tokenOf(key, CLAIMS);
    for (let at = 0; at < token.length - 2; at += 7) {
      const changed = token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1);
      expect(await reasonFor(changed)).not.toBe('GOOD');
    }
  });

  test('that is garbage is refused', async () => {
    for (const garbage of ['', '.', '..', 'a.b.c', 'e30.e30.e30', '\u0000', 'é.é.é', 'a'.repeat(8000)]) {
      expect(await reasonFor(garbage)).toBe('the token is not valid');
    }
  });
});

describe('the key set', () => {
  const REMOTE: IssuerConfig = { ...CONFIG, jwks: '' };
  const serving = (text: () => string) =>
    jest.fn<FetchKeys>(async () => new TextEncoder().encode(text()).buffer);

  test('is fetched from the issuer, once', async () => {
    const fetchKeys = serving(() => jwksOf(key));
    const verifier = tokenVerifier(REMOTE, { fetchKeys, nowMs: () => 0 });
    const tokens = [1, 2, 3].map((n) => tokenOf(key, { ...CLAIMS, n }));
    const verified = await Promise.all(tokens.map((token) => verifier(token)));
    expect(verified.every((v) => v.claims !== undefined)).toBe(true);
    expect(fetchKeys.mock.calls).toEqual([['https://id.example.org/labscape/.well-known/jwks.json']]);
  });

  test('that is given is never fetched, whatever the key id', async () => {
    const fetchKeys = serving(() => jwksOf(makeKey('k2')));
    const verifier = tokenVerifier(CONFIG, { fetchKeys, nowMs: () => 0 });
    expect(await verifier(tokenOf(makeKey('k2'), CLAIMS))).toMatchObject({ claims: undefined });
    expect(fetchKeys).not.toHaveBeenCalled();
  });

  test('is fetched again for a new key, but not for every made-up one', async () => {
    const next = makeKey('k2');
    let keys = jwksOf(key);
    const fetchKeys = serving(() => keys);
    const verifier = tokenVerifier(REMOTE, { fetchKeys, nowMs: () => 0 });
    await verifier(tokenOf(key, CLAIMS));
    keys = jwksOf(key, next);
    expect(await verifier(tokenOf(next, CLAIMS))).toMatchObject({ claims: { sub: 'tina' } });
    expect(fetchKeys).toHaveBeenCalledTimes(2);
    for (let n = 0; n < 20; n += 1) await verifier(tokenOf({ ...key, kid: `made-up-${n}` }, CLAIMS));
    expect(fetchKeys).toHaveBeenCalledTimes(3);
    expect(await verifier(tokenOf(next, CLAIMS))).toMatchObject({ claims: { sub: 'tina' } });
  });

  test('that was last good serves on while the issuer is down', async () => {
    let nowMs = 0;
    let isDown = false;
    const fetchKeys = jest.fn<FetchKeys>(async () => {
      if (isDown) throw new Error('connection refused');
      return new TextEncoder().encode(jwksOf(key)).buffer;
    });
    const verifier = tokenVerifier(REMOTE, { fetchKeys, nowMs: () => nowMs });
    await verifier(tokenOf(key, CLAIMS));
    isDown = true;
    nowMs = KEYS_FRESH_S * 1000;
    expect(await verifier(tokenOf(key, CLAIMS))).toMatchObject({ claims: { sub: 'tina' } });
    expect(await verifier(tokenOf(makeKey('k2'), CLAIMS))).toMatchObject({ claims: undefined });
    expect(fetchKeys).toHaveBeenCalledTimes(2);
  });

  test('is fetched anew after its time, and a key withdrawn then stops working', async () => {
    let nowMs = 0;
    let keys = jwksOf(key);
    const verifier = tokenVerifier(REMOTE, { fetchKeys: serving(() => keys), nowMs: () => nowMs });
    await verifier(tokenOf(key, CLAIMS));
    keys = jwksOf(makeKey('k2'));
    expect(await verifier(tokenOf(key, CLAIMS))).toMatchObject({ claims: { sub: 'tina' } });
    nowMs = KEYS_FRESH_S * 1000;
    expect(await verifier(tokenOf(key, CLAIMS))).toMatchObject({ claims: undefined });
  });

  test('that was never had leaves tokens unjudged, with a pause between tries; garbage is refused all the same', async () => {
    let nowMs = 0;
    for (const broken of ['<html>', '{}', '{"keys":[{}]}']) {
      const fetchKeys = serving(() => broken);
      const verifier = tokenVerifier(REMOTE, { fetchKeys, nowMs: () => nowMs });
      await expect(verifier(tokenOf(key, CLAIMS))).rejects.toBeInstanceOf(IssuerUnreachable);
      await expect(verifier(tokenOf(key, CLAIMS))).rejects.toBeInstanceOf(IssuerUnreachable);
      expect(fetchKeys).toHaveBeenCalledTimes(1);
      nowMs += KEYS_RETRY_S * 1000;
      await expect(verifier(tokenOf(key, CLAIMS))).rejects.toBeInstanceOf(IssuerUnreachable);
      expect(fetchKeys).toHaveBeenCalledTimes(2);
      expect(await verifier('garbage')).toMatchObject({ claims: undefined });
    }
  });
});

describe('a deployed stage', () => {
  const make = (issuer: string, stage: string) => () =>
    tokenVerifier({ ...CONFIG, issuer, stage }, { nowMs: () => 0 });

  test.each([
    'http://127.0.0.1:3000',
    'https://127.0.0.1',
    'https://127.1',
    'https://2130706433',
    'https://localhost',
    'https://localhost.',
    'https://id.localhost',
    'https://[::1]',
    'https://[::ffff:127.0.0.1]',
    'https://0.0.0.0',
  ])('refuses the loopback issuer %s, a local one takes it', (issuer) => {
    for (const stage of ['prod', 'dev', 'Local', '']) expect(make(issuer, stage)).toThrow('loopback');
    for (const stage of ['local', 'test']) expect(make(issuer, stage)).not.toThrow();
  });

  test('refuses http issuers, an empty audience and broken key sets', () => {
    expect(make('http://id.example.org', 'prod')).toThrow('https');
    expect(() => tokenVerifier({ ...CONFIG, audience: '' }, { nowMs: () => 0 })).toThrow('AUDIENCE');
    expect(() => tokenVerifier({ ...CONFIG, jwks: '{"keys":1}' }, { nowMs: () => 0 })).toThrow();
  });
});
