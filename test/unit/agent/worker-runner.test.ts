import { existsSync, mkdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { WorkerRunnerConfig } from '../../../lib/agent/config.ts';
import { WorkerOrder } from '../../../lib/agent/worker-protocol.ts';
import { WorkerRunner } from '../../../lib/agent/worker-runner.ts';
import { work } from './fixtures.ts';
import { RunnerBench, until } from './runner-bench.ts';

let bench: RunnerBench;
beforeEach(() => {
  bench = new RunnerBench();
});
afterEach(() => bench.end());

const program = fileURLToPath(new URL('./fixture-worker.ts', import.meta.url));
const logFile = () => path.join(bench.folder, 'heard');
const runner = (config: object = {}) =>
  bench.use(
    new WorkerRunner(
      WorkerRunnerConfig.parse({
        kind: 'worker',
        command: [process.execPath, program],
        logFile: logFile(),
        ...config,
      }),
      bench.deps(),
    ),
  );
const heard = (): WorkerOrder[] =>
  readFileSync(logFile(), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => WorkerOrder.parse(JSON.parse(line)));

describe('one worker per resource', () => {
  test('is told what to start and stop, and says what runs', async () => {
    const runs = runner();
    runs.start(work('a', 'g1', 3));
    runs.start({ ...work('b'), adopted: true });
    await until('both run', () => bench.count('running') === 2);
    runs.adopt(work('a', 'g2', 4));
    runs.leaseUntil(1234.5);
    runs.stop('acme/b');
    await until('one stopped', () => bench.count('stopped') === 1);
    expect(bench.events.at(-1)).toEqual({ kind: 'stopped', key: 'acme/b' });
    expect(heard()).toMatchObject([
      { op: 'start', key: 'acme/a', tenant: 'acme', allocation: 'a', group: 'g1', epoch: 3, resource: 'r1' },
      { op: 'start', key: 'acme/b', adopted: true },
      { op: 'adopt', key: 'acme/a', group: 'g2', epoch: 4 },
      { op: 'lease', until: 1234 },
      { op: 'stop', key: 'acme/b' },
    ]);
  });

  test('that the system refuses at once fails its work, and another one is tried', async () => {
    const folder = path.join(bench.folder, 'logs');
    const runs = runner({ logFile: path.join(folder, 'worker') });
    runs.start(work('a'));
    await until('it was refused', () => bench.count('failed') > 0);
    expect(bench.events[0]).toMatchObject({
      ...{ kind: 'failed', key: 'acme/a' },
      reason: expect.stringMatching(/could not be started: .*ENOENT/),
    });
    expect(runs.takeFaults()).toBeGreaterThan(0);
    mkdirSync(folder);
    await until('it runs', () => bench.count('running') === 1);
    runs.stop('acme/a');
    await until('it has stopped', () => bench.count('stopped') === 1);
  });

  test('that cannot be remembered is ended, and another one is tried', async () => {
    const stateFile = path.join(bench.folder, 'processes');
    const runs = runner({ stateFile });
    rmSync(stateFile);
    mkdirSync(stateFile);
    runs.start(work('a'));
    await until('it was ended', () => bench.count('failed') > 0);
    expect(bench.events[0]).toMatchObject({
      reason: expect.stringMatching(/could not be remembered: .*EISDIR/),
    });
    rmdirSync(stateFile);
    await until('it runs', () => bench.count('running') > 0);
    expect(readFileSync(stateFile, 'utf8')).toMatch(/^\d+ \d+\n$/);
  });

  test('that never ends a line is a fault, whatever it says, and fills no memory', async () => {
    const runs = runner();
    runs.start(work('endless'));
    await until('fault', () => runs.takeFaults() === 1);
    runs.start(work('b'));
    await until('it is heard after that', () => bench.count('running') === 2);
    expect(runs.takeFaults()).toBe(0);
  });

  test('that dies fails all of its work, and a new one is told everything anew', async () => {
    const runs = runner();
    runs.leaseUntil(99);
    runs.start(work('a'));
    await until('running', () => bench.count('running') === 1);
    runs.start(work('deadly'));
    await until('both failed', () => bench.count('failed') >= 2);
    expect(bench.events[1]).toMatchObject({ kind: 'failed', reason: 'worker exited with code 9' });
    runs.stop('acme/deadly');
    await until('runs again', () => bench.count('running') >= 2);
    expect(runs.takeFaults()).toBeGreaterThan(0);
    expect(heard().filter((order) => order.op === 'lease').length).toBeGreaterThan(1);
  });

  test('is killed when it does not stop one piece, which costs the others a restart', async () => {
    const runs = runner({ stopGraceMs: 100 });
    runs.start(work('a'));
    runs.start(work('stubborn'));
    await until('both run', () => bench.count('running') === 2);
    runs.stop('acme/stubborn');
    await until('stopped', () => bench.count('stopped') === 1);
    await until('the other runs again', () => bench.count('running') === 3);
  });

  test('is told again to start what it could not', async () => {
    runner().start(work('second-try'));
    await until('running', () => bench.count('running') === 1);
    expect(bench.events[0]).toEqual({ kind: 'failed', key: 'acme/second-try', reason: 'not yet' });
  });

  test('that speaks nonsense is a fault, and is otherwise passed over', async () => {
    const runs = runner();
    runs.start(work('garbled'));
    await until('running', () => bench.count('running') === 1);
    await until('fault', () => runs.takeFaults() === 1);
  });

  test('ends at once by force, and everything is stopped', async () => {
    const runs = runner();
    for (const name of ['a', 'stubborn', 'c']) runs.start(work(name));
    await until('all run', () => bench.count('running') === 3);
    runs.killAll();
    await until('all stopped', () => bench.count('stopped') === 3, 1000);
  });

  test('stops what was never started because the worker was not there yet', async () => {
    const runs = runner();
    runs.start(work('a'));
    runs.stop('acme/a');
    await until('stopped', () => bench.count('stopped') === 1);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(existsSync(logFile())).toBe(false);
  });
});
