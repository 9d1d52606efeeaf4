import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { ProcessRunnerConfig } from '../../../lib/agent/config.ts';
import { ProcessRunner } from '../../../lib/agent/process-runner.ts';
import type { Work } from '../../../lib/agent/work.ts';
import { work } from './fixtures.ts';
import { isAlive, RunnerBench, until } from './runner-bench.ts';

let bench: RunnerBench;
beforeEach(() => {
  bench = new RunnerBench();
});
afterEach(() => bench.end());

const runner = (config: object) =>
  bench.use(
    new ProcessRunner(ProcessRunnerConfig.parse({ kind: 'process', settleMs: 20, ...config }), bench.deps()),
  );
const shell = (script: string, each = work('a')): Work => ({
  ...each,
  spec: { command: ['sh', '-c', script] },
});
const file = (name: string) => path.join(bench.folder, name);
const written = (name: string) => existsSync(file(name)) && readFileSync(file(name), 'utf8').endsWith('\n');
const pidIn = (name: string) => Number(readFileSync(file(name), 'utf8'));

describe('a process per allocation', () => {
  test('runs the command of the spec with the names of what it runs, and without the token', async () => {
    const script = `env > ${file('env')}; exec sleep 60`;
    const command = ['sh', '-c', script];
    const spec = { command, env: { COLOUR: 'red', LABSCAPE_GROUP: 'forged' }, data: { size: 1 } };
    const devices = { indexes: [0, 3], milli: 500 };
    const copies = { required: true, copies: [{ resource: 'r1', asOf: 7 }] };
    runner({}).start({ ...work('a', 'g1', 4), devices, spec, data: copies });
    await until('running', () => bench.count('running') === 1 && written('env'));
    const lines = readFileSync(file('env'), 'utf8').split('\n');
    expect(lines).toEqual(
      expect.arrayContaining([
        ...['LABSCAPE_TENANT=acme', 'LABSCAPE_ALLOCATION=a', 'LABSCAPE_GROUP=g1', 'LABSCAPE_EPOCH=4'],
        ...['LABSCAPE_DEVICES=0,3', 'LABSCAPE_DEVICE_MILLI=500'],
        `LABSCAPE_COPIES=${JSON.stringify(copies)}`,
        ...['LABSCAPE_RESOURCE=r1', 'COLOUR=red', `LABSCAPE_SPEC=${JSON.stringify(spec)}`],
      ]),
    );
    expect(lines.join()).not.toContain('secret');
  });

  test("runs the start hook instead, and keeps a tenant's variables out of it", async () => {
    const start = ['sh', '-c', `env > ${file('env')}; exec sleep 60`];
    runner({ start, env: { SITE: 'north' } }).start({
      ...work('a'),
      spec: { command: ['false'], env: { LD_PRELOAD: 'evil.so' } },
    });
    await until('running', () => bench.count('running') === 1 && written('env'));
    const lines = readFileSync(file('env'), 'utf8').split('\n');
    expect(lines).toContain('SITE=north');
    expect(lines.filter((line) => line.startsWith('LD_PRELOAD'))).toEqual([]);
  });

  test.each([
    ['the start hook', { start: ['sleep', '60'] }],
    ['the command of the spec', {}],
  ])("keeps a tenant's variables out of check and stop hooks beside %s", async (_, own) => {
    const hook = (name: string) => ['sh', '-c', `env > ${file(name)}`];
    const runs = runner({ ...own, check: hook('check'), stop: hook('stop'), env: { SITE: 'north' } });
    const env = { COLOUR: 'red', PATH: `/no/such:${process.env['PATH']}` };
    runs.start({ ...work('a'), spec: { command: ['sleep', '60'], env } });
    await until('running', () => bench.count('running') === 1);
    runs.stop('acme/a');
    await until('stopped', () => bench.count('stopped') === 1);
    for (const name of ['check', 'stop']) {
      const lines = readFileSync(file(name), 'utf8').split('\n');
      expect(lines).toEqual(expect.arrayContaining(['SITE=north', 'LABSCAPE_ALLOCATION=a']));
      expect(lines.filter((line) => /^COLOUR|no.such/.test(line) && !line.startsWith('LABSCAPE_'))).toEqual(
        [],
      );
    }
  });

  test('notes its lease where work can read it that must not outlive a hanging agent', async () => {
    const runs = runner({ leaseFile: file('lease') });
    runs.leaseUntil(1234.5);
    runs.start(shell(`cat $LABSCAPE_LEASE_FILE > ${file('seen')}; exec sleep 60`));
    await until('running', () => bench.count('running') === 1 && written('seen'));
    expect(readFileSync(file('seen'), 'utf8')).toBe('1234\n');
  });

  test('stops with SIGTERM', async () => {
    const runs = runner({});
    runs.start(
      shell(
        `trap 'echo bye > ${file('bye')}; exit 0' TERM; echo $$ > ${file('pid')}; while :; do sleep 0.05; done`,
      ),
    );
    await until('running', () => bench.count('running') === 1 && written('pid'));
    runs.stop('acme/a');
    await until('stopped', () => bench.count('stopped') === 1);
    expect(readFileSync(file('bye'), 'utf8')).toBe('bye\n');
    expect(isAlive(pidIn('pid'))).toBe(false);
  });

  test('kills the whole group of a process that does not heed SIGTERM', async () => {
    const runs = runner({ stopGraceMs: 100 });
    runs.start(shell(`trap '' TERM; sleep 60 & echo $! > ${file('pid')}; while :; do sleep 1; done`));
    await until('running', () => bench.count('running') === 1 && written('pid'));
    runs.stop('acme/a');
    await until('stopped', () => bench.count('stopped') === 1);
    await until('its child is gone too', () => !isAlive(pidIn('pid')));
  });

  test('runs the stop hook first', async () => {
    const stop = ['sh', '-c', `echo "$LABSCAPE_ALLOCATION $LABSCAPE_PID" > ${file('asked')}`];
    const runs = runner({ stop });
    runs.start(shell(`echo $$ > ${file('pid')}; exec sleep 60`));
    await until('running', () => bench.count('running') === 1 && written('pid'));
    runs.stop('acme/a');
    await until('stopped', () => bench.count('stopped') === 1);
    expect(readFileSync(file('asked'), 'utf8')).toBe(`a ${pidIn('pid')}\n`);
  });

  test.each([
    ['has no name', ['']],
    ['no system takes', ['sh', '-c', 'a\0b']],
    ['has too long a name', ['x'.repeat(400)]],
    ['lies below a file', [`${import.meta.filename}/x`]],
  ])('whose command %s fails by itself: the agent and what else runs go on', async (_, command) => {
    const runs = runner({});
    runs.start({ ...work('bad'), spec: { command } });
    runs.start(shell('exec sleep 60', work('good')));
    await until('the other runs', () => bench.count('running') === 1);
    expect(bench.events).toContainEqual({
      kind: 'failed',
      key: 'acme/bad',
      reason: expect.stringMatching(/^could not be started: /),
    });
    expect(runs.takeFaults()).toBeGreaterThan(0);
    runs.stop('acme/bad');
    await until('and it can be stopped', () => bench.count('stopped') === 1);
  });

  test('whose log cannot be written fails by itself', async () => {
    runner({ logDir: `${import.meta.filename}/logs` }).start(shell('exec sleep 60'));
    await until('failed', () => bench.count('failed') > 0);
    expect(bench.events[0]).toMatchObject({ reason: expect.stringMatching(/^could not be started: /) });
  });

  test('that cannot be remembered does not run: nobody could end it if its agent died', async () => {
    const stateFile = file('processes');
    const runs = runner({ stateFile });
    rmSync(stateFile);
    mkdirSync(stateFile);
    runs.start(shell(`echo $$ > ${file('pid')}; exec sleep 60`));
    await until('failed', () => bench.count('failed') > 0);
    expect(bench.events[0]).toMatchObject({
      reason: expect.stringMatching(/^could not be remembered: .*EISDIR/),
    });
    expect(runs.takeFaults()).toBeGreaterThan(0);
    if (written('pid')) expect(isAlive(pidIn('pid'))).toBe(false);
    rmdirSync(stateFile);
    await until('running', () => bench.count('running') === 1);
    expect(readFileSync(stateFile, 'utf8')).toMatch(/^\d+ \d+\n$/);
  });

  test('starts again what ended by itself, and says why it failed', async () => {
    // Long enough that a busy machine ends the first try before it counts as running.
    const runs = runner({ settleMs: 1_500 });
    runs.start(shell(`if [ -e ${file('again')} ]; then exec sleep 60; fi; touch ${file('again')}; exit 3`));
    await until('running after a failure', () => bench.count('running') === 1);
    expect(bench.events[0]).toEqual({ kind: 'failed', key: 'acme/a', reason: 'exited with code 3' });
    expect(runs.takeFaults()).toBe(0);
  });

  test('counts a command that cannot be started as a fault, and stops what waits to be started again', async () => {
    const runs = runner({});
    runs.start({ ...work('a'), spec: { command: ['/no/such/command'] } });
    await until('failed', () => bench.count('failed') > 0);
    expect(runs.takeFaults()).toBeGreaterThan(0);
    runs.stop('acme/a');
    await until('stopped', () => bench.count('stopped') === 1);
  });

  test('says that work without any command fails', async () => {
    runner({}).start(work('a'));
    await until('failed', () => bench.count('failed') === 1);
    expect(bench.events[0]).toMatchObject({ reason: expect.stringContaining('has no command') });
  });

  test('ends everything at once by force, also what is queued', async () => {
    const runs = runner({ settleMs: 0 });
    for (const name of ['a', 'b', 'c']) {
      runs.start(shell(`trap '' TERM; echo $$ > ${file(name)}; while :; do sleep 1; done`, work(name)));
    }
    await until('two run', () => bench.count('running') >= 2);
    runs.killAll();
    await until('all stopped', () => bench.count('stopped') === 3, 1000);
    for (const name of ['a', 'b']) if (written(name)) expect(isAlive(pidIn(name))).toBe(false);
  });
});

describe('the check hook', () => {
  const check = () => ['sh', '-c', `test -e ${file('ready')}`];

  test('decides when the work runs', async () => {
    runner({ check: check() }).start(shell('exec sleep 60'));
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(bench.events).toEqual([]);
    writeFileSync(file('ready'), '');
    await until('running', () => bench.count('running') === 1);
  });

  test('that keeps failing makes the work fail and start again', async () => {
    writeFileSync(file('ready'), '');
    const script = `echo $$ >> ${file('pids')}; exec sleep 60`;
    runner({
      check: ['sh', '-c', `test $(wc -l < ${file('pids')}) -ge 2 || test -e ${file('ready')}`],
      // Its time, too: a check that is killed says something else.
      checkEveryMs: 1_000,
    }).start(shell(script));
    await until('running', () => bench.count('running') === 1);
    spawn('rm', [file('ready')]);
    await until('running again', () => bench.count('running') === 2);
    expect(bench.events[1]).toMatchObject({ kind: 'failed', reason: 'check exited with code 1' });
  });

  test('that never succeeds is not waited for forever', async () => {
    runner({ check: ['false'], startWithinMs: 100 }).start(shell('exec sleep 60'));
    await until('failed', () => bench.count('failed') > 0);
  });
});

test('ends what a dead agent left behind, and nothing else', async () => {
  const stateFile = file('processes');
  const left = spawn('sleep', ['60'], { detached: true });
  const other = spawn('sleep', ['60'], { detached: true });
  const ticks = readFileSync(`/proc/${left.pid}/stat`, 'utf8').split(' ')[21];
  // The second line is what a reused process id looks like: another start time.
  writeFileSync(stateFile, `${left.pid} ${ticks}\n${other.pid} 1\n`);
  const gone = new Promise((resolve) => left.on('exit', (_, signal) => resolve(signal)));
  const runs = runner({ stateFile });
  expect(await gone).toBe('SIGKILL');
  expect(isAlive(other.pid ?? 0)).toBe(true);
  other.kill('SIGKILL');
  runs.start(shell('exec sleep 60'));
  await until('remembered', () => /^agent \d+ \d+\n\d+ \d+\n$/.test(readFileSync(stateFile, 'utf8')));
});

test('takes over from an agent that is dead, whether or not somebody has seen its end', async () => {
  const stateFile = file('processes');
  // Its parent never waits for it: it stays a zombie.
  const parent = spawn('sh', ['-c', `sleep 60 & echo $! > ${file('pid')}; exec sleep 60`], {
    detached: true,
  });
  await until('written', () => written('pid'));
  const pid = pidIn('pid');
  const ticks = readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ')[21];
  writeFileSync(stateFile, `agent ${pid} ${ticks}\n`);
  expect(() => runner({ stateFile })).toThrow(`is kept by another agent that runs, process ${pid}`);
  process.kill(pid, 'SIGKILL');
  await until('dead', () => !isAlive(pid));
  runner({ stateFile });
  expect(readFileSync(stateFile, 'utf8')).toMatch(new RegExp(`^agent ${process.pid} \\d+\n$`));
  parent.kill('SIGKILL');
  writeFileSync(stateFile, `agent ${process.ppid} 1\n`);
  runner({ stateFile });
});
