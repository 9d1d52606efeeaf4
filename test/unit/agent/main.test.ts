import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { main } from '../../../lib/agent/main.ts';
import { tokenFromFile } from '../../../lib/agent/token-file.ts';
import { FakeApi } from './fake-api.ts';
import { work } from './fixtures.ts';
import { chance, clock, isAlive, RunnerBench, until } from './runner-bench.ts';

let api: FakeApi;
let bench: RunnerBench;
let children: ChildProcess[];
beforeEach(() => {
  api = new FakeApi();
  // On a busy machine a beat of a new process comes late, and a lease that ended would end the work with it.
  api.leaseMs = 60_000;
  bench = new RunnerBench();
  children = [];
});
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL');
  api.stop();
  await bench.end();
  expect(api.faults).toEqual([]);
});

const program = fileURLToPath(new URL('../../../lib/agent/bin.ts', import.meta.url));
const file = (name: string) => path.join(bench.folder, name);

/** Work that heeds the end of its standard input, and work that does not. */
const HEEDS = 'echo $$ > $FOLDER/$LABSCAPE_ALLOCATION; cat; exit 0';
const HEEDLESS = 'echo $$ > $FOLDER/$LABSCAPE_ALLOCATION; exec sleep 60';
const DEAF = `trap '' TERM; echo $$ > $FOLDER/$LABSCAPE_ALLOCATION; while :; do sleep 0.2; done`;

async function startProcess(
  script: string,
  url: string,
  log: 'pipe' | number = 'pipe',
): Promise<ChildProcess> {
  const config = {
    ...{ url, tokenFile: 'token', labscape: 'north', agent: 'agent-1', load: 'demand' },
    resources: [
      {
        id: 'r1',
        runner: {
          ...{ kind: 'process', start: ['sh', '-c', script], env: { FOLDER: bench.folder } },
          stateFile: file('processes'),
        },
      },
    ],
  };
  writeFileSync(file('agent.json'), JSON.stringify(config));
  writeFileSync(file('token'), 'secret\n');
  const child = spawn(process.execPath, [program, 'run', '--config', file('agent.json')], {
    stdio: ['ignore', 'inherit', log],
  });
  children.push(child);
  return child;
}
const exitOf = (child: ChildProcess) => new Promise((resolve) => child.on('exit', resolve));
const workerPid = () => Number(readFileSync(file('a'), 'utf8'));
const running = () => until('reported as running', () => api.reports.some((r) => r.groups[0]?.running === 1));

describe('the agent as a process', () => {
  test('ends in order on SIGTERM: its work first', async () => {
    api.add('r1', [work('a')]);
    const child = await startProcess(HEEDLESS, await api.start());
    await running();
    const pid = workerPid();
    child.kill('SIGTERM');
    expect(await exitOf(child)).toBe(0);
    expect(isAlive(pid)).toBe(false);
    expect(api.reports.at(-1)?.groups[0]?.running).toBe(0);
  });

  test('ends in order on SIGHUP too: a terminal that closes leaves no work without an agent', async () => {
    api.add('r1', [work('a')]);
    const child = await startProcess(HEEDLESS, await api.start());
    await running();
    child.kill('SIGHUP');
    expect(await exitOf(child)).toBe(0);
    expect(isAlive(workerPid())).toBe(false);
  });

  test('that is asked a second time ends its work by force, and not before: two at once are one', async () => {
    api.add('r1', [work('a')]);
    const child = await startProcess(DEAF, await api.start());
    await running();
    for (const signal of ['SIGINT', 'SIGINT', 'SIGTERM'] as const) child.kill(signal);
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    expect([child.exitCode, child.signalCode, isAlive(workerPid())]).toEqual([null, null, true]);
    child.kill('SIGINT');
    expect(await exitOf(child)).toBe(1);
    await until('its work is gone', () => !isAlive(workerPid()), 1_000);
  });

  test.each([
    ['goes away', (child: ChildProcess) => child.stderr?.destroy(), () => 'pipe' as const],
    ['has no room', () => undefined, () => openSync('/dev/full', 'w')],
  ])('whose log %s runs its work without', async (_, lose, log) => {
    const resource = api.add('r1', []);
    const child = await startProcess(HEEDLESS, await api.start(), log());
    await until('beats', () => api.beats.length > 0);
    lose(child);
    resource.items = [work('a')].map((each) => ({ ...each, startInMs: 0 }));
    resource.revision += 1;
    api.changed();
    await running();
    child.kill('SIGTERM');
    expect(await exitOf(child)).toBe(0);
    expect(isAlive(workerPid())).toBe(false);
  });

  test('that is killed takes work that reads its standard input with it', async () => {
    api.add('r1', [work('a')]);
    const child = await startProcess(HEEDS, await api.start());
    await running();
    child.kill('SIGKILL');
    await until('its work ends', () => !isAlive(workerPid()));
  });

  test('that is started a second time beside itself refuses, and harms nothing', async () => {
    api.add('r1', [work('a')]);
    const url = await api.start();
    const first = await startProcess(HEEDLESS, url);
    await running();
    const pid = workerPid();
    const second = await startProcess(HEEDLESS, url);
    let said = '';
    second.stderr?.on('data', (chunk: Buffer) => {
      said += chunk;
    });
    expect(await exitOf(second)).toBe(1);
    expect(said).toContain(`${file('processes')} is kept by another agent that runs, process ${first.pid}`);
    expect([isAlive(pid), workerPid()]).toEqual([true, pid]);
    first.kill('SIGTERM');
    expect(await exitOf(first)).toBe(0);
  });

  test('waits for its predecessor to stop its work, and starts it then', async () => {
    api.add('r1', [work('a')]);
    const url = await api.start();
    const first = await startProcess(
      `trap 'sleep 1.5; exit 0' TERM; ${DEAF.slice(DEAF.indexOf('echo'))}`,
      url,
    );
    await running();
    const pid = workerPid();
    first.kill('SIGTERM');
    api.reports.length = 0;
    const second = await startProcess(HEEDLESS, url);
    await exitOf(first);
    await until('the other has started it', () => workerPid() !== pid);
    expect(isAlive(pid)).toBe(false);
    await running();
    second.kill('SIGTERM');
    expect(await exitOf(second)).toBe(0);
  });

  test('that comes back ends what its killed predecessor left running, before it starts anything', async () => {
    api.add('r1', [work('a')]);
    const url = await api.start();
    const first = await startProcess(HEEDLESS, url);
    await running();
    const left = workerPid();
    first.kill('SIGKILL');
    await exitOf(first);
    expect(isAlive(left)).toBe(true);
    api.reports.length = 0;
    const second = await startProcess(HEEDLESS, url);
    await running();
    expect(isAlive(left)).toBe(false);
    expect(workerPid()).not.toBe(left);
    second.kill('SIGTERM');
    expect(await exitOf(second)).toBe(0);
  });
});

describe('the command line of the agent', () => {
  const run = async (...argv: string[]) => runWith({}, ...argv);
  const runWith = async (environment: Record<string, string>, ...argv: string[]) => {
    let out = '';
    let err = '';
    const io = {
      ...{ environment, stop: new AbortController().signal },
      out: (text: string) => {
        out += text;
      },
      err: (text: string) => {
        err += text;
      },
    };
    const code = await main(argv, io, clock, chance);
    return { code, out, err };
  };

  test.each([[[]], [['dance']], [['run']], [['run', '--speed', 'high']]])(
    '%j is a usage error',
    async (argv) => {
      const { code, out, err } = await run(...argv);
      expect({ code, out }).toEqual({ code: 2, out: '' });
      expect(err).toContain('usage: labscape-agent run');
    },
  );

  test('says what is wrong with a configuration', async () => {
    writeFileSync(file('bad.json'), '{}');
    expect(await run('run', '--config', file('bad.json'))).toMatchObject({
      code: 2,
      err: expect.stringContaining('  labscape: is required\n'),
    });
    expect(await run('run', '--config', file('missing.json'))).toMatchObject({
      code: 1,
      err: `cannot read ${file('missing.json')}: there is no such file\n`,
    });
    expect(existsSync(file('missing.json'))).toBe(false);
  });

  test('registers with the operator token of the environment, and says so when it is refused', async () => {
    const tokens: (string | undefined)[] = [];
    const server = createServer((request, response) => {
      tokens.push(request.headers.authorization);
      response.writeHead(403, { 'content-type': 'application/json' }).end('{"message":"Forbidden"}');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      const { port } = server.address() as AddressInfo;
      const resources = [{ id: 'r1', runner: { kind: 'process' } }];
      const config = { url: `http://127.0.0.1:${port}`, labscape: 'north', agent: 'agent-1', resources };
      writeFileSync(file('agent.json'), JSON.stringify({ ...config, tokenFile: 'token' }));
      writeFileSync(file('token'), 'agents\n');
      const argv = ['register', '--config', file('agent.json')];
      const refused = {
        ...{ code: 1, out: '' },
        err: "Forbidden: register takes an operator's token, set LABSCAPE_TOKEN\n",
      };
      expect(await run(...argv)).toEqual(refused);
      expect(await runWith({ LABSCAPE_TOKEN: 'operators' }, ...argv)).toEqual(refused);
      expect(tokens).toEqual(['Bearer agents', 'Bearer operators']);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });

  test('says which token file is not there', async () => {
    const provide = tokenFromFile(file('no.token'));
    await expect(Promise.resolve(provide())).rejects.toThrow(
      `cannot read the token file ${file('no.token')}: there is no such file`,
    );
  });

  test('measures the host', async () => {
    const { code, out } = await run('measure');
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ processing: expect.any(Number) });
  });
});
