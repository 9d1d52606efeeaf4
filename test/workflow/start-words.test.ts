import { spawn } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from '@jest/globals';
import { temporaryFolder } from '../infra/support.ts';
import { StartedMain } from './started-main.ts';

const MAIN = fileURLToPath(new URL('../../infra/local/main.ts', import.meta.url));
const folder = temporaryFolder();
afterAll(() => folder.remove());

/** `npm start -- …args`, which is to end by itself. */
function startWith(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [MAIN, ...args], {
      cwd: folder.path,
      env: { ...process.env, NODE_OPTIONS: '' },
    });
    const said = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const)
      child[name].setEncoding('utf8').on('data', (text: string) => {
        said[name] += text;
      });
    child.once('close', (code) => resolve({ code, ...said }));
  });
}

test('takes neither an empty port for a free one nor an empty folder for the current one', async () => {
  for (const [args, word] of [
    [['--port', ''], '--port must be a whole number'],
    [['--port', '0x10'], '--port must be a whole number'],
    [['--port', '65536'], '--port must be from 0 to 65535'],
    [['--data', ''], '--data must name a folder'],
  ] as const) {
    const { code, stdout, stderr } = await startWith(...args);
    expect([args, code, stdout]).toEqual([args, 2, '']);
    expect(stderr).toBe(`${word}\n\nnpm start [-- [--empty] [--port N] [--data DIR]]\n`);
  }
  expect(readdirSync(folder.path)).toEqual([]);
});

test('says its usage when asked', async () => {
  expect(await startWith('--help')).toEqual({
    ...{ code: 0, stderr: '' },
    stdout: 'npm start [-- [--empty] [--port N] [--data DIR]]\n',
  });
});

test('keeps a data folder for its owner only', async () => {
  const data = join(folder.path, 'data');
  const main = new StartedMain(data);
  try {
    const { url } = await main.up();
    expect((await fetch(`${url}/openapi.json`)).status).toBe(200);
    const readable = readdirSync(data, { recursive: true, encoding: 'utf8' }).filter(
      (name) => (statSync(join(data, name)).mode & 0o077) !== 0,
    );
    expect(readdirSync(data)).toEqual(expect.arrayContaining(['state.db', 'issuer-key.json', 'logs']));
    expect(readable).toEqual([]);
  } finally {
    await main.stop();
  }
});

test('starts with few open files, and says it where they do not even do for that', async () => {
  const main = new StartedMain(join(folder.path, 'few'), {}, 64);
  const { url, token } = await main.up();
  const answer = await fetch(`${url}/status`, { headers: { authorization: `Bearer ${token}` } });
  expect(answer.status).toBe(200);
  await main.stop();
  const { code, stderr } = await new StartedMain(join(folder.path, 'too-few'), {}, 24).ended;
  expect([code, stderr]).toEqual([1, expect.stringMatching(/^.*EMFILE.*\n$/)]);
});
