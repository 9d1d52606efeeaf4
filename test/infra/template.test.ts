import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import * as z from 'zod';
import { listFunctions, ROOT } from '../../infra/bundle.ts';
import { evaluate } from '../../infra/local/functions/iam.ts';
import { runApp, synthesise } from '../../infra/local/template/synthesise.ts';
import { type LocalTemplate, readTemplate } from '../../infra/local/template/template.ts';
import type { LocalFunction } from '../../infra/local/template/template-functions.ts';
import { PERMISSIONS } from '../../infra/permissions.ts';
import { ROUTES, type Route } from '../../lib/http/routes.ts';
import { isSignedKey } from '../../lib/http/signed-key.ts';
import { compilePolicies } from '../../lib/security/policy-check.ts';
import { COMPILED_FILE, readPolicies } from '../../lib/security/policy-files.ts';
import { temporaryFolder } from './support.ts';

const Template = z.object({
  Resources: z.record(
    z.string(),
    z.object({
      Type: z.string(),
      Properties: z.record(z.string(), z.unknown()).default({}),
      DeletionPolicy: z.string().optional(),
    }),
  ),
});
type Resources = z.infer<typeof Template>['Resources'];

const folder = temporaryFolder();
let local: string;
let template: LocalTemplate;

beforeAll(async () => {
  local = await synthesise();
  await runApp(join(folder.path, 'prod'), {
    stage: 'prod',
    issuer: 'https://id.example.com',
    audience: 'labscape',
  });
  template = readTemplate(join(folder.path, 'prod'));
}, 120_000);
afterAll(() => folder.remove());

function resources(stage: 'local' | 'prod', type: string): Resources[string][] {
  const dir = stage === 'local' ? local : join(folder.path, 'prod');
  return ['-state', ''].flatMap((suffix) => {
    const text = readFileSync(join(dir, `labscape-${stage}${suffix}.template.json`), 'utf8');
    return Object.values(Template.parse(JSON.parse(text)).Resources).filter(({ Type }) => Type === type);
  });
}
const functionOf = (name: string): LocalFunction => {
  const found = template.functions.find((fn) => fn.name === `labscape-prod-${name}`);
  if (found === undefined) throw new Error(`no function ${name}`);
  return found;
};
const tableOf = (id: 'State' | 'Audit') => {
  const found = template.tables.find((table) => table.id.startsWith(id));
  if (found === undefined) throw new Error(`no table ${id}`);
  return found;
};

const isPublic = (route: Route) => route.action === 'public';

describe('routes', () => {
  test('each route of the API leads to its function', () => {
    const found = template.routes.map(({ key, functionArn }) => [key, functionArn]);
    const asked = ROUTES.flatMap((r) => [
      [`${r.method} ${r.path}`, functionOf(r.function).arn],
      ...(isPublic(r) ? [] : [[`${r.method} /signed${r.path}`, functionOf(r.function).arn]]),
    ]);
    expect(found.toSorted()).toEqual(asked.toSorted());
  });

  test('no web page may call unless its origin is configured', () => {
    expect(template.cors).toBeUndefined();
  });

  test('every route but the public ones has the authoriser, keyed by token and route', () => {
    const open = template.routes.filter((route) => route.authoriser === undefined).map((route) => route.key);
    const asked = ROUTES.filter(isPublic).map((r) => `${r.method} ${r.path}`);
    expect(open.toSorted()).toEqual(asked.toSorted());
    const guarded = template.routes.filter(
      (route) => route.authoriser !== undefined && !isSignedKey(route.key),
    );
    for (const { authoriser } of guarded)
      expect(authoriser).toEqual({
        functionArn: functionOf('authorise').arn,
        identitySources: ['$request.header.Authorization', '$context.routeKey'],
        ttlMs: 30_000,
      });
  });

  test('every route for signed requests has an authoriser whose answers nobody remembers', () => {
    const signed = template.routes.filter((route) => isSignedKey(route.key));
    expect(signed).toHaveLength(ROUTES.filter((route) => !isPublic(route)).length);
    for (const { authoriser } of signed)
      expect(authoriser).toEqual({
        functionArn: functionOf('authorise-signed').arn,
        identitySources: ['$request.header.Signature', '$request.header.Signature-Input'],
        ttlMs: 0,
      });
  });
});

describe('roles', () => {
  const names = Object.keys(PERMISSIONS) as (keyof typeof PERMISSIONS)[];
  const may = (name: string, action: string, resource: string) =>
    evaluate(functionOf(name).statements, action, resource);

  test.each(names)('%s may do on the state table what its row says, and nothing else', (name) => {
    const { arn } = tableOf('State');
    const actions = [
      'GetItem',
      'BatchGetItem',
      'Query',
      'PutItem',
      'UpdateItem',
      'ConditionCheckItem',
    ] as const;
    for (const action of actions)
      expect([action, may(name, `dynamodb:${action}`, arn)]).toEqual([
        action,
        PERMISSIONS[name].state.includes(action) ? 'allowed' : 'implicit-deny',
      ]);
    for (const index of ['byGroup', 'find'] as const)
      expect([index, may(name, 'dynamodb:Query', `${arn}/index/${index}`)]).toEqual([
        index,
        PERMISSIONS[name].state.includes(`Query:${index}`) ? 'allowed' : 'implicit-deny',
      ]);
    for (const table of ['State', 'Audit'] as const)
      expect(may(name, 'dynamodb:Scan', tableOf(table).arn)).toBe(
        name === 'backup' ? 'allowed' : 'implicit-deny',
      );
    for (const action of ['DeleteItem', 'BatchWriteItem', 'DeleteTable', 'PartiQLUpdate'])
      expect(may(name, `dynamodb:${action}`, arn)).toBe('implicit-deny');
  });

  test.each(names)('%s may never change or delete an audit event', (name) => {
    const { arn } = tableOf('Audit');
    for (const action of ['UpdateItem', 'DeleteItem', 'BatchWriteItem'])
      expect(may(name, `dynamodb:${action}`, arn)).toBe('explicit-deny');
    const granted: readonly string[] = PERMISSIONS[name].audit;
    const asked = [['PutItem'], ['GetItem'], ['Query'], ['Query', 'byTime']] as const;
    for (const [action, index] of asked) {
      const resource = index === undefined ? arn : `${arn}/index/${index}`;
      const row = index === undefined ? action : `${action}:${index}`;
      expect([row, may(name, `dynamodb:${action}`, resource)]).toEqual([
        row,
        granted.includes(row) ? 'allowed' : 'implicit-deny',
      ]);
    }
  });

  test('only those that start or answer recoveries may call the state machine', () => {
    const machine = template.machines[0]?.arn ?? '';
    const allowed = (action: string) => names.filter((name) => may(name, action, machine) === 'allowed');
    expect(allowed('states:StartExecution')).toEqual(
      names.filter((name) => PERMISSIONS[name].startsRecoveries),
    );
    for (const action of ['SendTaskSuccess', 'SendTaskFailure'] as const)
      expect(allowed(`states:${action}`)).toEqual(
        names.filter((name) => PERMISSIONS[name].answersTasks?.includes(action)),
      );
    expect(allowed('states:StopExecution')).toEqual([]);
  });

  test('no two functions share a role, and no statement but a deny names every resource', () => {
    expect(new Set(template.functions.map((fn) => fn.roleArn)).size).toBe(names.length);
    for (const { statements } of template.functions)
      expect(statements.filter((s) => s.Effect === 'Allow' && s.Resource.includes('*'))).toEqual([]);
  });
});

describe('functions', () => {
  test('there is one per folder, on Node 24 and arm64', () => {
    const properties = resources('prod', 'AWS::Lambda::Function').map((resource) => resource.Properties);
    expect(properties).toHaveLength(Object.keys(PERMISSIONS).length);
    expect(listFunctions().toSorted()).toEqual(Object.keys(PERMISSIONS).toSorted());
    for (const each of properties)
      expect(each).toMatchObject({ Runtime: 'nodejs24.x', Architectures: ['arm64'] });
  });

  test('each has its bundle and the policy layer', () => {
    for (const fn of template.functions) {
      expect(existsSync(join(fn.codeDir, 'index.js'))).toBe(true);
      for (const dir of fn.layerDirs) {
        expect(
          existsSync(join(dir, 'nodejs/node_modules/@cedar-policy/cedar-wasm/nodejs/cedar_wasm_bg.wasm')),
        ).toBe(true);
        const { policies } = readPolicies(join(dir, 'policy'));
        const compiled = readFileSync(join(dir, 'policy', COMPILED_FILE), 'utf8');
        expect(JSON.parse(compiled)).toEqual(compilePolicies(policies));
      }
      expect(fn.layerDirs).toHaveLength(1);
    }
  });

  test("know their role's credentials from their environment, and look nowhere else", () => {
    for (const fn of template.functions) {
      const code = readFileSync(join(fn.codeDir, 'index.js'), 'utf8');
      expect(code).toContain('AWS_ACCESS_KEY_ID');
      for (const elsewhere of ['AWS_CONTAINER_CREDENTIALS', 'sso_session'])
        expect([fn.name, elsewhere, code.includes(elsewhere)]).toEqual([fn.name, elsewhere, false]);
    }
  });

  test('know the machine if they may call it, and only then', () => {
    for (const [name, permissions] of Object.entries(PERMISSIONS)) {
      const knows = 'STATE_MACHINE_ARN' in functionOf(name).environment;
      expect([name, knows]).toEqual([
        name,
        permissions.startsRecoveries === true || permissions.answersTasks !== undefined,
      ]);
    }
  });

  test('recovery has executions set aside in a deployed stage only', () => {
    const reserved = (stage: 'local' | 'prod') =>
      resources(stage, 'AWS::Lambda::Function')
        .map((resource) => resource.Properties)
        .filter((each) => each['ReservedConcurrentExecutions'] !== undefined)
        .map((each) => each['FunctionName']);
    expect(reserved('prod')).toEqual(['labscape-prod-recovery']);
    expect(reserved('local')).toEqual([]);
  });

  test('who judges signatures knows no issuer, and needs none', () => {
    const { environment } = functionOf('authorise-signed');
    expect(Object.keys(environment).filter((name) => /ISSUER|JWKS|AUDIENCE/.test(name))).toEqual([]);
    expect(JSON.parse(environment['BREAK_GLASS'] ?? '')).toEqual([]);
  });

  test('long polls and recovery phases may take longest', () => {
    const timeouts = Object.fromEntries(template.functions.map((fn) => [fn.name, fn.timeoutS]));
    expect(timeouts).toMatchObject({
      'labscape-prod-assignments': 29,
      'labscape-prod-recovery': 30,
      'labscape-prod-authorise': 8,
    });
  });
});

describe('tables', () => {
  test('have the keys and indexes that the access patterns use', () => {
    const keys = (schema: readonly { AttributeName: string }[]) => schema.map((key) => key.AttributeName);
    const shape = (table: LocalTemplate['tables'][number]) => ({
      keys: keys(table.KeySchema),
      indexes: Object.fromEntries(table.GlobalSecondaryIndexes.map((i) => [i.IndexName, keys(i.KeySchema)])),
    });
    expect(shape(tableOf('State'))).toEqual({
      keys: ['pk', 'sk'],
      indexes: { byGroup: ['grp', 'grpSk'], find: ['findPk', 'findSk'] },
    });
    expect(shape(tableOf('Audit'))).toEqual({
      keys: ['entity', 'rev'],
      indexes: { byTime: ['day', 'timeSk'] },
    });
  });

  test('of a deployed stage survive: recovery points, protection, retention, a key that rotates', () => {
    const tables = resources('prod', 'AWS::DynamoDB::Table');
    expect(tables).toHaveLength(3);
    for (const table of tables) {
      expect(table.DeletionPolicy).toBe('Retain');
      expect(table.Properties).toMatchObject({
        DeletionProtectionEnabled: true,
        PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
        SSESpecification: { SSEEnabled: true, SSEType: 'KMS' },
      });
    }
    const [key] = resources('prod', 'AWS::KMS::Key');
    expect(key).toMatchObject({ DeletionPolicy: 'Retain', Properties: { EnableKeyRotation: true } });
  });

  test('of the local stage go with their stack', () => {
    const tables = resources('local', 'AWS::DynamoDB::Table');
    expect(tables).toHaveLength(3);
    for (const table of tables)
      expect(table).toMatchObject({
        DeletionPolicy: 'Delete',
        Properties: { DeletionProtectionEnabled: false },
      });
  });
});

describe('buckets', () => {
  const named = (stage: 'local' | 'prod', lock: boolean) =>
    resources(stage, 'AWS::S3::Bucket').filter(
      ({ Properties }) => (Properties['VersioningConfiguration'] !== undefined) === lock,
    );

  test('of a deployed stage survive, are encrypted, never public, and of versions where that matters', () => {
    expect(resources('prod', 'AWS::S3::Bucket')).toHaveLength(3);
    for (const bucket of resources('prod', 'AWS::S3::Bucket')) {
      expect(bucket.DeletionPolicy).toBe('Retain');
      expect(bucket.Properties).toMatchObject({
        PublicAccessBlockConfiguration: {
          BlockPublicAcls: true,
          BlockPublicPolicy: true,
          IgnorePublicAcls: true,
          RestrictPublicBuckets: true,
        },
      });
    }
    const versioned = named('prod', true);
    expect(versioned).toHaveLength(2);
    for (const { Properties } of versioned)
      expect(JSON.stringify(Properties['BucketEncryption'])).toContain('"SSEAlgorithm":"aws:kms"');
    expect(named('local', true).map(({ DeletionPolicy }) => DeletionPolicy)).toEqual(['Delete', 'Delete']);
  });

  test('are spoken to over TLS alone', () => {
    const policies = resources('prod', 'AWS::S3::BucketPolicy').map(({ Properties }) =>
      JSON.stringify(Properties),
    );
    expect(policies).toHaveLength(3);
    for (const policy of policies)
      expect(policy).toContain(
        '{"Action":"s3:*","Condition":{"Bool":{"aws:SecureTransport":"false"}},"Effect":"Deny"',
      );
  });

  test('retain the archive as the stage says, and forget deleted backups after its days', async () => {
    const dir = join(folder.path, 'locks');
    const given = {
      archive: { retentionDays: 90, lock: 'COMPLIANCE' },
      backups: { deletedDays: 3 },
    };
    const { context } = JSON.parse(readFileSync(join(ROOT, 'cdk.json'), 'utf8'));
    await runApp(dir, { stage: 'local', stages: { local: { ...context.stages.local, ...given } } });
    expect(readTemplate(dir).buckets).toEqual(
      expect.arrayContaining([
        {
          name: 'labscape-local-state-archive',
          arn: 'arn:aws:s3:::labscape-local-state-archive',
          lockDays: 90,
        },
      ]),
    );
    const text = readFileSync(join(dir, 'labscape-local-state.template.json'), 'utf8');
    expect(text).toContain('"Mode": "COMPLIANCE"');
    expect(text).toContain('"NoncurrentDays": 3');
  });
});

describe('the state machine and the schedule', () => {
  test('every task has a timeout, retries with jitter and handles every error', () => {
    const definition = z
      .object({ States: z.record(z.string(), z.looseObject({ Type: z.string() })) })
      .parse(JSON.parse(template.machines[0]?.definition ?? ''));
    const tasks = Object.values(definition.States).filter((state) => state.Type === 'Task');
    expect(tasks).toHaveLength(18);
    for (const task of tasks) {
      expect(task['TimeoutSeconds'] ?? task['TimeoutSecondsPath']).toBeDefined();
      expect(task['Retry']).toMatchObject([{ JitterStrategy: 'FULL', MaxDelaySeconds: 10, MaxAttempts: 6 }]);
      const catchers = z.array(z.object({ ErrorEquals: z.array(z.string()) })).parse(task['Catch']);
      expect(catchers.at(-1)?.ErrorEquals).toEqual(['States.ALL']);
    }
  });

  test('the sweep, and who looks what backup is due, are called every minute', () => {
    for (const name of ['sweep', 'backup'])
      expect(template.schedules).toContainEqual(
        expect.objectContaining({ everyMs: 60_000, functionArns: [functionOf(name).arn] }),
      );
  });
});
