import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { program, readCommand } from '../../../infra/deploy/command.ts';
import { UsageError } from '../../../infra/usage.ts';
import { temporaryFolder } from '../../infra/support.ts';

const ISSUER = 'https://id.example.com';
const CONTEXT = {
  issuer: 'https://everywhere.example.com',
  stages: {
    prod: { issuer: ISSUER, audience: 'labscape', logLevel: 'WARN' },
    bare: { audience: 'a', logRetentionDays: 2 },
    wild: { issuer: ISSUER, audience: 'labscape', rollout: 'whenever', recoveryConcurrency: 0 },
    test: { issuer: ISSUER, audience: 'labscape' },
  },
};

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
  writeFileSync(join(folder.path, 'cdk.json'), JSON.stringify({ context: CONTEXT }));
});
afterEach(() => {
  jest.restoreAllMocks();
  folder.remove();
});

const read = (line: string) =>
  readCommand(
    line.split(' ').filter((word) => word !== ''),
    folder.path,
  );

describe('a command that is right', () => {
  test('takes the stage from cdk.json and tells the CDK of the same stage', () => {
    const { config, context, yes } = read('--stage prod');
    expect(config).toMatchObject({
      stage: 'prod',
      issuer: CONTEXT.issuer,
      logLevel: 'WARN',
      disposable: false,
    });
    expect([context, yes]).toEqual([['-c', 'stage=prod'], false]);
  });

  test('lets the command line win over cdk.json, for us and for the CDK', () => {
    const { config, context, yes } = read(
      '--yes --audience api --stage prod --issuer https://other.example.com',
    );
    expect(config).toMatchObject({ issuer: 'https://other.example.com', audience: 'api', logLevel: 'WARN' });
    const told = context.filter((word) => word !== '-c');
    expect(told.toSorted()).toEqual(['audience=api', 'issuer=https://other.example.com', 'stage=prod']);
    expect(context.filter((word) => word === '-c')).toHaveLength(3);
    expect(yes).toBe(true);
  });

  test('may name a stage of which cdk.json knows nothing, if it says the rest', () => {
    expect(read(`--stage mine --issuer ${ISSUER} --audience api`).config).toMatchObject({ stage: 'mine' });
    expect(read('--stage test').config.disposable).toBe(true);
  });

  test('is read from the cdk.json of the project by default', () => {
    const { context } = JSON.parse(readFileSync('cdk.json', 'utf8'));
    expect(readCommand(['--stage', 'mine', '--issuer', ISSUER, '--audience', 'a']).config).toMatchObject({
      stage: 'mine',
      ...context.stages?.mine,
    });
  });
});

describe('a command that is wrong is refused in a sentence that names what', () => {
  test.each([
    ['', '--stage is missing: the name of a stage in cdk.json'],
    ['--yes', '--stage is missing: the name of a stage in cdk.json'],
    ['--stage', '--stage needs a value'],
    ['--stage --yes', '--stage needs a value'],
    ['--stage prod --issuer', '--issuer needs a value'],
    ['--stage local', 'stage local runs on this machine: npm start'],
    ['--stage prod --force', "Unknown option '--force'"],
    ['prod', "Unknown option 'prod'"],
    ['--stage=prod', "Unknown option '--stage=prod'"],
    ['--stage Prod', 'stage Prod must be 1 to 16 characters of a-z and 0-9, starting with a letter'],
    ['--stage bare', 'stage configuration is not valid: logRetentionDays'],
    ['--stage wild', 'rollout'],
    ['--stage wild', 'recoveryConcurrency'],
    ['--stage prod --issuer http://id.example.com', 'stage prod: issuer http://id.example.com must be https'],
    ['--stage prod --issuer https://localhost', 'is a loopback address'],
  ])('%j: %s', (line, sentence) => {
    const refusal = (() => {
      try {
        return read(line);
      } catch (error) {
        return error;
      }
    })();
    expect(refusal).toBeInstanceOf(UsageError);
    const { message } = refusal instanceof Error ? refusal : new Error('nothing was refused');
    expect(message).toContain(sentence);
    expect(message).not.toMatch(/\n|^\s*at |ZodError|✖/);
  });
});

describe('a program', () => {
  const words = process.argv;
  let said: string[];
  beforeEach(() => {
    said = [];
    jest.spyOn(process.stderr, 'write').mockImplementation((line) => said.push(String(line)) > 0);
    process.argv = ['node', 'deploy', '--stage', 'mine', '--issuer', ISSUER, '--audience', 'api'];
  });
  afterEach(() => {
    process.exitCode = undefined;
    process.argv = words;
  });

  test('ends with the exit code of what it does', async () => {
    await program('npm run it', async ({ config }) => (config.stage === 'mine' ? 7 : 8));
    expect([process.exitCode, said]).toEqual([7, []]);
  });

  test('says a mistake of the caller in its sentence with the usage, and ends with 2', async () => {
    process.argv = ['node', 'deploy', '--stages'];
    await program('npm run it', async () => 7);
    expect([process.exitCode, said]).toEqual([2, ["Unknown option '--stages'\n\nnpm run it\n"]]);
  });

  test('throws on what is no mistake of the caller', async () => {
    const fault = new Error('no disk');
    await expect(program('npm run it', () => Promise.reject(fault))).rejects.toBe(fault);
  });
});
