import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { ROOT } from '../../../infra/bundle.ts';
import { parseStage } from '../../../infra/config.ts';
import { nextSteps, plan, urlOf } from '../../../infra/deploy/deploy.ts';
import { farewell, stacksToDestroy } from '../../../infra/deploy/destroy.ts';

const ISSUER = 'https://id.example.com';
const stage = (name: string, more: object = {}) =>
  parseStage({ stage: name, issuer: ISSUER, audience: 'labscape', ...more });
const [PROD, TEST] = [stage('prod'), stage('test')];

describe('the plan of a deployment says', () => {
  test('where to, which stacks, whose tokens, and that nobody hears of alarms', () => {
    const text = plan(PROD);
    for (const words of [
      'Deploys stage prod into the account and region of your AWS credentials',
      'labscape-prod-state   three tables, the buckets of archive and backups, and their key; they outlive their stack',
      `Tokens: issued by ${ISSUER} for labscape`,
      'Rollout: canary',
      'Alarms go to: nobody (alarms.email is not set)',
      'Labscapes with an alarm that starts recoveries: none',
      'Accounts whose alarms may start recoveries: none',
    ])
      expect(text).toContain(words);
  });

  test('that a stage that may lose its data does, and is rolled out at once', () => {
    expect(plan(TEST)).toContain('they go with their stack: this stage may lose its data');
    expect(plan(TEST)).toContain('Rollout: at once');
  });

  test('who hears of alarms, and whose alarms start what', () => {
    const recoveryAlarms = { labscapes: ['north', 'south'], accounts: ['111122223333', '444455556666'] };
    const text = plan(
      stage('prod', { alarms: { email: 'ops@example.com' }, rollout: 'linear', recoveryAlarms }),
    );
    for (const words of [
      'Alarms go to: ops@example.com',
      'Rollout: linear',
      'recoveries: north, south',
      'recoveries: 111122223333, 444455556666',
    ])
      expect(text).toContain(words);
  });
});

describe('after a deployment', () => {
  const outputs = {
    'labscape-prod-state': { HttpUrl: 'https://wrong.example.com' },
    'labscape-prod': { Other: 'x', HttpUrl1A2B: 'https://api.example.com' },
  };

  test('the URL is the one of the stage', () => {
    expect(urlOf(outputs, 'prod')).toBe('https://api.example.com');
  });

  test.each([
    ['another stage was deployed', outputs, 'test'],
    ['no URL was told', { 'labscape-prod': { Other: 'x' } }, 'prod'],
    ['nothing was told', {}, 'prod'],
  ])('it fails with the stage in a sentence when %s', (_, told, name) => {
    expect(() => urlOf(told, name)).toThrow(`the deployment of stage ${name} told no URL`);
  });

  test('what is told in another shape is refused', () => {
    expect(() => urlOf({ 'labscape-prod': 'https://api.example.com' }, 'prod')).toThrow();
  });

  test('the next steps name the check and how the first administrator comes to be', () => {
    const text = nextSteps(PROD, 'https://api.example.com');
    expect(text).toContain('API: https://api.example.com');
    expect(text).toContain('curl https://api.example.com/health');
    expect(text).toContain(`in ${ISSUER}, give a user the claim roles = ["admin"]`);
    expect(text).toContain('Nothing in AWS makes an administrator.');
  });
});

describe('a farewell', () => {
  test('names all that is kept of a stage whose data counts', () => {
    const text = farewell(stage('prod', { logRetentionDays: 90 }));
    expect(text).toContain('Destroys stack labscape-prod: functions, API, state machine');
    const kept = text.slice(text.indexOf('Keeps:'));
    for (const words of [
      'stack labscape-prod-state (termination protection)',
      'its tables (deletion protection, point-in-time recovery) and all that is in them',
      'the KMS key',
      '/aws/lambda/labscape-prod-*',
      '(events expire after 90 days)',
      'the queue of failed events',
    ])
      expect(kept).toContain(words);
    expect(text).not.toContain('Nothing is kept');
  });

  test('says of a stage that may lose its data that it does', () => {
    const text = farewell(TEST);
    expect(text).toContain('Destroys stack labscape-test-state with its tables and everything in them');
    expect(text).toContain('Nothing is kept.');
    expect(text).toContain('CloudFormation deletes empty buckets only');
    expect(text).not.toContain('Keeps:');
  });
});

test('what uses the tables is destroyed before them, and the tables only where they may be lost', () => {
  expect(stacksToDestroy(PROD)).toEqual(['labscape-prod']);
  expect(stacksToDestroy(TEST)).toEqual(['labscape-test', 'labscape-test-state']);
});

describe('npm run destroy', () => {
  /** Without AWS credentials, so that it could destroy nothing even if it tried. */
  async function destroy(
    ...args: readonly string[]
  ): Promise<{ code: number | null; out: string; err: string }> {
    const program = join(ROOT, 'infra', 'deploy', 'destroy.ts');
    const env = { PATH: process.env['PATH'] ?? '', HOME: '/nonexistent', AWS_EC2_METADATA_DISABLED: 'true' };
    const child = spawn(process.execPath, [program, ...args], { cwd: ROOT, env });
    const told = { out: '', err: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      told.out += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      told.err += text;
    });
    const [code] = await once(child, 'close');
    return { code, ...told };
  }

  test('destroys nothing before somebody says --yes, but tells what would go and what would stay', async () => {
    const { code, out } = await destroy('--stage', 'prod', '--issuer', ISSUER, '--audience', 'a');
    expect(out).toContain('Keeps:');
    expect(out.trimEnd().split('\n').at(-1)).toBe('Nothing was destroyed: say --yes to do it.');
    expect(code).toBe(1);
  });

  test('answers a mistake with a sentence, its usage and 2', async () => {
    expect(await destroy('--yes')).toEqual({
      ...{ code: 2, out: '' },
      err: expect.stringMatching(
        /^--stage is missing: the name of a stage in cdk\.json\n\nnpm run destroy -- --stage NAME /,
      ),
    });
  });
});
