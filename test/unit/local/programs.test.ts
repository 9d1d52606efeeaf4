import { spawn } from 'node:child_process';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';

const ROOT = path.resolve(import.meta.dirname, '../../..');

/** Nobody's profile and no region, whatever this machine has. */
const NO_AWS = {
  ...{ AWS_REGION: undefined, AWS_DEFAULT_REGION: undefined, AWS_PROFILE: undefined },
  AWS_CONFIG_FILE: '/dev/null',
};

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

function run(program: string, ...argv: string[]): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [path.join(ROOT, program), ...argv], {
      // Jest's flags are not for this process.
      env: { ...process.env, NODE_OPTIONS: '', ...NO_AWS },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const said = { out: '', err: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said.out += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said.err += text;
    });
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, ...said }));
  });
}

/** Every program of package.json that people call here, and how its usage begins. */
const PROGRAMS = [
  ['infra/local/main.ts', 'npm start'],
  ['infra/local/drill/main.ts', 'npm run drill'],
  ['infra/local/replay/main.ts', 'npm run replay'],
  ['infra/local/restore/main.ts', 'npm run restore'],
  ['infra/local/verify/main.ts', 'npm run audit:verify'],
  ['infra/deploy/deploy.ts', 'npm run deploy'],
  ['infra/deploy/destroy.ts', 'npm run destroy'],
  ['test/bench/main.ts', 'npm run bench'],
  ['test/crash/main.ts', 'npm run crash'],
  ['test/simulation/main.ts', 'npm run sim'],
  ['test/deploy/main.ts', 'npm run test:deploy'],
] as const;

describe('a program', () => {
  test.each(PROGRAMS)('%s says its usage on standard output when asked', async (program, usage) => {
    const { code, out, err } = await run(program, '--help');
    expect([code, err]).toEqual([0, '']);
    expect(out.startsWith(usage)).toBe(true);
  });

  test.each([
    ...PROGRAMS.map(([program, usage]) => [program, usage, '--nonsense', "Unknown option '--nonsense'"]),
    ['test/bench/main.ts', 'npm run bench', 'nothing', 'there is no benchmark nothing'],
    ['test/crash/main.ts', 'npm run crash', '--kills=x', '--kills must be a whole number from 1 on'],
    ['test/simulation/main.ts', 'npm run sim', '--seeds=0', '--seeds must be a whole number from 1 on'],
  ])(
    '%s: says in one line what it does not understand, then %s on standard error, and ends with 2',
    async (program, usage, word, line) => {
      const { code, out, err } = await run(program, word);
      expect([code, out]).toEqual([2, '']);
      expect(err.startsWith(`${line}\n\n${usage}`)).toBe(true);
      expect(err).not.toMatch(/^\s+at /m);
    },
  );
});

test('npm run restore says in a line what AWS, or its client, does not do', async () => {
  const argv = ['--from', 's3://nothing-there', '--state', 's', '--audit', 'a'];
  const { code, out, err } = await run('infra/local/restore/main.ts', ...argv);
  expect([code, out]).toEqual([1, '']);
  expect(err).toBe(
    'AWS: Region is missing. Set AWS_REGION and credentials, or name an engine on this machine with --endpoint.\n',
  );
});

test('the agent says its usage when asked', async () => {
  const { code, out, err } = await run('lib/agent/bin.ts', '--help');
  expect([code, err]).toEqual([0, '']);
  expect(out).toMatch(/^usage: labscape-agent run --config FILE/);
  expect(await run('lib/agent/bin.ts', '--nonsense')).toEqual({
    ...{ code: 2, out: '' },
    err: `Unknown option '--nonsense'\n${out}`,
  });
});
