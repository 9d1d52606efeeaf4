import { spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { ProcessRunnerConfig } from '../../../lib/agent/config.ts';
import { ProcessRunner } from '../../../lib/agent/process-runner.ts';
import { work } from './fixtures.ts';
import { isAlive, RunnerBench, until } from './runner-bench.ts';

let bench: RunnerBench;
const others: number[] = [];
beforeEach(() => {
  bench = new RunnerBench();
});
afterEach(async () => {
  await bench.end();
  for (const pid of others.splice(0)) if (isAlive(pid)) process.kill(pid, 'SIGKILL');
});

const file = (name: string) => path.join(bench.folder, name);
const lines = (name: string) => (existsSync(file(name)) ? readFileSync(file(name), 'utf8').split('\n') : []);

/** A process that somebody else started, and hooks that know it by a file with its id. */
function foreign(): number {
  const child = spawn('sleep', ['60'], { detached: true, stdio: 'ignore' });
  const pid = child.pid ?? 0;
  others.push(pid);
  writeFileSync(file('pid'), String(pid));
  return pid;
}
const CHECK = 'p=$(cat pid 2>/dev/null) && grep -qv ") Z " /proc/$p/stat 2>/dev/null';
const hooks = () => ({
  start: ['sh', '-c', 'echo started >> starts; echo $$ > pid; exec sleep 60'],
  check: ['sh', '-c', CHECK],
  stop: ['sh', '-c', 'echo "$LABSCAPE_ADOPTED $LABSCAPE_ALLOCATION" >> stops; kill $(cat pid)'],
});
const runner = (config: object) => {
  const all = { kind: 'process', settleMs: 20, checkEveryMs: 1_000, cwd: bench.folder, ...config };
  return bench.use(new ProcessRunner(ProcessRunnerConfig.parse(all), bench.deps()));
};
const adopted = () => ({ ...work('a'), adopted: true });

describe('work that ran before it was allocated', () => {
  test('is taken over: nothing is started, nothing is stopped', async () => {
    const pid = foreign();
    const runs = runner(hooks());
    runs.start(adopted());
    await until('running', () => bench.count('running') === 1);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(bench.events).toEqual([{ kind: 'running', key: 'acme/a' }]);
    expect([isAlive(pid), lines('starts'), lines('stops'), runs.takeFaults()]).toEqual([true, [], [], 0]);
  });

  test('is stopped by its hook, and said to be stopped only once it is', async () => {
    const pid = foreign();
    const runs = runner({ ...hooks(), stop: ['sh', '-c', 'test -e may && kill $(cat pid)'] });
    runs.start(adopted());
    await until('running', () => bench.count('running') === 1);
    runs.killAll();
    let faults = 0;
    await until('tries', () => {
      faults += runs.takeFaults();
      return faults > 1;
    });
    expect([isAlive(pid), bench.count('stopped')]).toEqual([true, 0]);
    writeFileSync(file('may'), '');
    await until('stopped', () => bench.count('stopped') === 1);
    expect(isAlive(pid)).toBe(false);
  });

  test('is not called failed for one look that says nothing', async () => {
    const pid = foreign();
    const once = `test -e hiccup && rm hiccup && exit 127; ${CHECK}`;
    const runs = runner({ ...hooks(), check: ['sh', '-c', once] });
    runs.start(adopted());
    await until('running', () => bench.count('running') === 1);
    writeFileSync(file('hiccup'), '');
    await until('looked', () => !existsSync(file('hiccup')));
    await until('counted', () => runs.takeFaults() === 1);
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect([bench.events.length, isAlive(pid), lines('starts')]).toEqual([1, true, []]);
  });

  test('is started when it surely does not run, and supervised from then on', async () => {
    const runs = runner(hooks());
    runs.start(adopted());
    await until('running', () => bench.count('running') === 1);
    expect(lines('starts')).toEqual(['started', '']);
    runs.stop('acme/a');
    await until('stopped', () => bench.count('stopped') === 1);
  });

  test('is started again after its end, which is told', async () => {
    const pid = foreign();
    runner(hooks()).start(adopted());
    await until('running', () => bench.count('running') === 1);
    process.kill(pid, 'SIGKILL');
    await until('running again', () => bench.count('running') === 2);
    expect(bench.events.map(({ kind }) => kind)).toEqual(['running', 'failed', 'running']);
    expect(lines('starts')).toEqual(['started', '']);
  });

  test.each([
    ['cannot be found', undefined, 'could not be started'],
    ['is not found by its shell', 'no-such-check', 'exited with code 127'],
    ['hangs', 'sleep 60', 'was killed after'],
  ])('is not started while its check %s: that is no word on the work', async (_, script, says) => {
    const pid = foreign();
    const write = (line: string) => writeFileSync(file('check'), `#!/bin/sh\n${line}\n`, { mode: 0o755 });
    if (script !== undefined) write(script);
    const runs = runner({ ...hooks(), check: [file('check')], checkEveryMs: 200 });
    runs.start(adopted());
    await until('looks', () => bench.count('failed') === 1);
    await new Promise((resolve) => setTimeout(resolve, 900));
    const reason = expect.stringContaining(says);
    expect(bench.events).toEqual([{ kind: 'failed', key: 'acme/a', reason }]);
    expect([isAlive(pid), lines('starts')]).toEqual([true, []]);
    expect(runs.takeFaults()).toBeGreaterThan(0);
    runs.stop('acme/a');
    write('! kill -0 $(cat pid) && exit 1; exit 0');
    await until('stopped', () => bench.count('stopped') === 1);
  });

  test('is neither started nor said to be stopped without hooks to look with', async () => {
    const pid = foreign();
    const { start } = hooks();
    const runs = runner({ start });
    runs.start(adopted());
    await until('failed', () => bench.count('failed') === 1);
    runs.stop('acme/a');
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(bench.events).toEqual([
      { kind: 'failed', key: 'acme/a', reason: expect.stringContaining('no check and stop hooks') },
    ]);
    expect([isAlive(pid), lines('starts')]).toEqual([true, []]);
  });

  test('finds its names in the environment of its hooks', async () => {
    foreign();
    const runs = runner(hooks());
    runs.start(adopted());
    await until('running', () => bench.count('running') === 1);
    runs.stop('acme/a');
    await until('stopped', () => bench.count('stopped') === 1);
    expect(lines('stops')).toEqual(['1 a', '']);
    rmSync(file('pid'));
  });
});
