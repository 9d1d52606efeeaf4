import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ROOT } from '../../infra/bundle.ts';
import type { PermissionUse } from '../../infra/local/functions/guard.ts';
import { startHost } from '../../infra/local/host.ts';
import { runApp } from '../../infra/local/template/synthesise.ts';
import { Rig } from '../api/rig.ts';
import { BOUND_ALARM, BOUND_RESOURCE } from './broad-recoveries.ts';
import { BREAK_GLASS, everythingOnce } from './broad-scenario.ts';
import { temporaryFolder } from './support.ts';

/** The others are of what the host does not emulate: logs, and the key of the tables. */
const CHECKED = /^((dynamodb|states|s3):|kms:(Sign|GetPublicKey)$)/;

/** An object is named when it is written: a role can only name all of a bucket. */
const OBJECTS = /: s3:\w+Object\w* [^*]+\/\*$/;

const folder = temporaryFolder();
let rig: Rig;
let used: readonly PermissionUse[];

const ORIGIN = 'https://console.example.com';

/** The local stage, and an alarm of the user's own and a web page besides. */
async function boundAssembly(): Promise<string> {
  const { context } = JSON.parse(readFileSync(join(ROOT, 'cdk.json'), 'utf8'));
  const { local } = context.stages;
  const bindings = [{ alarmName: BOUND_ALARM, resource: BOUND_RESOURCE }];
  const recoveryAlarms = { ...local.recoveryAlarms, bindings };
  const expiresAt = new Date(Date.now() + 3_600_000).toISOString();
  const breakGlass = [{ name: 'alice', publicKey: BREAK_GLASS.x, expiresAt }];
  const dir = join(folder.path, 'assembly');
  const cors = { origins: [ORIGIN] };
  await runApp(dir, { stage: 'local', stages: { local: { ...local, recoveryAlarms, breakGlass, cors } } });
  return dir;
}

beforeAll(async () => {
  const assemblyDir = await boundAssembly();
  rig = new Rig(await startHost({ port: 0, logLevel: 'silent', schedules: false, assemblyDir }));
  // A refusal may well end the scenario: then it is what went wrong.
  const failure = await everythingOnce(rig).then(
    () => undefined,
    (error: unknown) => error,
  );
  used = rig.host.permissionsUsed();
  if (failure !== undefined && !used.some(({ refused }) => refused > 0)) throw failure;
});
afterAll(async () => {
  await rig?.stop();
  folder.remove();
});

/** `resource` as people call it: the table or machine, and the index. */
const shortOf = (resource: string) => resource.replace(/^arn:[^:]*:[^:]*:[^:]*:[^:]*:/, '');
const lineOf = (name: string, action: string, resource: string) => `${name}: ${action} ${shortOf(resource)}`;

/** Every permission of every role, one by one, as the template grants it. */
const granted = (): string[] =>
  rig.host.template.functions.flatMap(({ environment, statements }) =>
    statements
      .filter(({ Effect }) => Effect === 'Allow')
      .flatMap(({ Action, Resource }) =>
        Action.flatMap((action) => Resource.map((resource) => ({ action, resource }))),
      )
      .filter(({ action }) => CHECKED.test(action))
      .map(({ action, resource }) => lineOf(environment['POWERTOOLS_SERVICE_NAME'] ?? '', action, resource)),
  );

describe('what functions may do and what they did', () => {
  test('no role refused what its function needed', () => {
    expect(used.filter(({ refused }) => refused > 0)).toEqual([]);
  });

  test('no role grants what its function never needs', () => {
    const seen = new Set(used.map(({ function: name, action, resource }) => lineOf(name, action, resource)));
    expect(granted().length).toBeGreaterThan(50);
    expect(granted().filter((line) => !seen.has(line))).toEqual([]);
  });

  test('no role grants a whole family of actions or resources, of which a part may be idle', () => {
    expect(granted().filter((line) => line.includes('*') && !OBJECTS.test(line))).toEqual([]);
  });
});

describe('a web page', () => {
  const ask = (origin: string, method = 'OPTIONS') =>
    rig.send({
      ...{ method, path: '/status' },
      headers: { origin, 'access-control-request-method': 'GET' },
    });

  test('of a configured origin may call, and read the answer', async () => {
    const preflight = await ask(ORIGIN);
    expect([preflight.status, preflight.headers['access-control-allow-origin']]).toEqual([204, ORIGIN]);
    expect(preflight.headers['access-control-allow-headers']).toContain('authorization');
    const answer = await ask(ORIGIN, 'GET');
    expect([answer.status, answer.headers['access-control-allow-origin']]).toEqual([401, ORIGIN]);
  });

  test.each(['https://evil.example', 'null', `${ORIGIN}.evil.example`, 'http://console.example.com'])(
    'of %s may not',
    async (origin) => {
      for (const method of ['OPTIONS', 'GET'])
        expect((await ask(origin, method)).headers).not.toHaveProperty('access-control-allow-origin');
    },
  );
});
