import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import * as z from 'zod';
import { parseStage } from '../../infra/config.ts';
import { runApp } from '../../infra/local/template/synthesise.ts';
import { callerFromClaims } from '../../lib/security/claims.ts';
import { ClaimsMap, mapClaims } from '../../lib/security/claims-map.ts';
import { temporaryFolder } from './support.ts';

const Template = z.object({
  Resources: z.record(
    z.string(),
    z.object({
      Type: z.string(),
      Properties: z.record(z.string(), z.any()).default({}),
      DeletionPolicy: z.string().optional(),
      DependsOn: z.array(z.string()).default([]),
    }),
  ),
});
type Resources = z.infer<typeof Template>['Resources'];

const folder = temporaryFolder();
let state: Resources;
let control: Resources;

beforeAll(async () => {
  const stages = { prod: { firstAdmin: 'ada@example.com' } };
  await runApp(folder.path, { stage: 'prod', stages });
  const read = (name: string) =>
    Template.parse(JSON.parse(readFileSync(join(folder.path, `${name}.template.json`), 'utf8'))).Resources;
  state = read('labscape-prod-state');
  control = read('labscape-prod');
}, 120_000);
afterAll(() => folder.remove());

const ofType = (type: string) => Object.values(state).filter(({ Type }) => Type === `AWS::Cognito::${type}`);
const authoriser = () => {
  const found = Object.values(control).find(
    ({ Properties }) => Properties['FunctionName'] === 'labscape-prod-authorise',
  );
  return found?.Properties['Environment'].Variables;
};

describe('a deployed stage that names no issuer', () => {
  test('has a pool that outlives it, in which people are invited and have a second factor', () => {
    const pools = ofType('UserPool');
    expect(pools).toHaveLength(1);
    expect(pools[0]).toMatchObject({
      DeletionPolicy: 'Retain',
      Properties: {
        DeletionProtection: 'ACTIVE',
        MfaConfiguration: 'ON',
        EnabledMfas: ['SOFTWARE_TOKEN_MFA'],
        AdminCreateUserConfig: { AllowAdminCreateUserOnly: true },
        Policies: { PasswordPolicy: { MinimumLength: 14 } },
      },
    });
  });

  test('has a client by which nobody can write whose tenant they are of, and no hosted pages', () => {
    const [client] = ofType('UserPoolClient');
    expect(client?.Properties).toMatchObject({ GenerateSecret: false, WriteAttributes: ['name'] });
    expect(client?.Properties['AllowedOAuthFlowsUserPoolClient']).toBe(false);
    expect(client?.Properties['CallbackURLs']).toBeUndefined();
  });

  test('trusts that pool and client alone, and reads their claims', () => {
    const { ISSUER, AUDIENCE, CLAIMS } = authoriser();
    expect(JSON.stringify(ISSUER)).toContain('PeoplePool');
    expect(JSON.stringify(AUDIENCE)).toContain('PeoplePoolClient');
    const map = ClaimsMap.parse(JSON.parse(CLAIMS));
    const token = { sub: '5a1e0c52-70b1-4d10-a1b2-000000000000', exp: 2_000_000_000 };
    const groups = (names: string[]) => ({ ...token, 'cognito:groups': names, 'custom:tenant': 'acme' });
    const callerOf = (claims: object) => callerFromClaims(mapClaims({ ...claims }, map)).caller;
    expect(callerOf(groups(['labscape-tenant', 'cooks']))).toMatchObject({
      roles: ['tenant'],
      tenant: 'acme',
    });
    expect(callerOf(groups(['labscape-admin']))).toMatchObject({ roles: ['admin'] });
    for (const names of [[], ['admin'], ['labscape-break-glass'], ['labscape-root']])
      expect(callerOf(groups(names))).toBeUndefined();
    const names = ofType('UserPoolGroup').map(({ Properties }) => Properties['GroupName']);
    expect(names).toEqual(['admin', 'operator', 'tenant', 'agent'].map((role) => `labscape-${role}`));
  });

  test('invites its first administrator once', () => {
    expect(ofType('UserPoolUser').map(({ Properties }) => Properties['Username'])).toEqual([
      'ada@example.com',
    ]);
    const [member] = ofType('UserPoolUserToGroupAttachment');
    expect(member?.Properties).toMatchObject({ GroupName: 'labscape-admin', Username: 'ada@example.com' });
    expect(member?.DependsOn).toHaveLength(2);
  });
});

describe('the issuer of a stage', () => {
  test.each([
    [{ stage: 'prod', issuer: 'https://id.example.com' }, 'belong together'],
    [{ stage: 'prod', audience: 'labscape' }, 'belong together'],
    [{ stage: 'local' }, 'are missing'],
    [{ stage: 'test' }, 'are missing'],
    [
      { stage: 'prod', issuer: 'https://id.example.com', audience: 'a', firstAdmin: 'ada@example.com' },
      'without an issuer',
    ],
    [
      { stage: 'prod', breakGlass: [{ name: 'al', publicKey: 'short', expiresAt: '2027-01-01T00:00:00Z' }] },
      'publicKey',
    ],
    [
      {
        stage: 'prod',
        issuer: 'https://id.example.com',
        audience: 'a',
        claims: { roleValues: { x: 'break-glass' } },
      },
      'claims',
    ],
  ])('%j is refused', (input, said) => {
    expect(() => parseStage(input)).toThrow(said);
  });
});
