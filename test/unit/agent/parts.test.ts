import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  AgentConfig,
  ConfigError,
  loadConfig,
  parseConfig,
  RunnerConfig,
} from '../../../lib/agent/config.ts';
import { HealthWatch } from '../../../lib/agent/health-watch.ts';
import { type HookResult, hookEnvironment, runHook } from '../../../lib/agent/hook.ts';
import { parseRemembered, startTicksOf } from '../../../lib/agent/leftovers.ts';
import {
  availableMiB,
  cpuTimes,
  guessCapacity,
  HostMeter,
  networkBytes,
  processingUsed,
} from '../../../lib/agent/measure.ts';
import { leapAfterReplay, nextSeq } from '../../../lib/agent/sequence.ts';
import { QUANTITY_MAX, Vector } from '../../../lib/schemas/common.ts';
import { until } from './runner-bench.ts';

describe('sequence numbers', () => {
  test('grow with the wall clock, and also when it stands still or goes back', () => {
    expect(nextSeq(5, 1000.7)).toBe(1000);
    expect(nextSeq(1000, 1000)).toBe(1001);
    expect(nextSeq(1000, 10)).toBe(1001);
  });

  test('pass those of an earlier run within a few refusals after the clock was set back an hour', () => {
    const last = 3_600_000;
    let seq = 0;
    let replays = 0;
    while (seq <= last) {
      seq = leapAfterReplay(nextSeq(seq, 0), replays);
      replays += 1;
    }
    expect(replays).toBeLessThan(15);
  });
});

describe('measurement', () => {
  test('reads what can be had without swapping', () => {
    expect(availableMiB('MemTotal: 100 kB\nMemAvailable:    2048 kB\n')).toBe(2);
    expect(availableMiB('')).toBeUndefined();
  });

  test('sums traffic of all interfaces but the loopback', () => {
    const text = [
      'Inter-|   Receive  |  Transmit',
      ' face |bytes packets|bytes packets',
      '    lo: 999 1 0 0 0 0 0 0 999 1 0 0 0 0 0 0',
      '  eth0: 1000 1 0 0 0 0 0 0 500 1 0 0 0 0 0 0',
      '  eth1:10 1 0 0 0 0 0 0 5 1 0 0 0 0 0 0',
    ].join('\n');
    expect(networkBytes(text)).toBe(1515);
  });

  test('turns processor times into milli-vCPU, and falls back to the load average', () => {
    const cpu = (user: number, idle: number) => ({ times: { user, nice: 0, sys: 0, irq: 0, idle } });
    const before = cpuTimes([cpu(100, 100), cpu(100, 100)]);
    const after = cpuTimes([cpu(150, 150), cpu(200, 100)]);
    expect(processingUsed(before, after, 2, 9)).toBe(1500);
    expect(processingUsed(undefined, after, 2, 9)).toBe(2000);
    expect(processingUsed(undefined, after, 2, 0.25)).toBe(250);
  });

  test('of this host has the form that the API takes', async () => {
    let ms = 0;
    const clock = { now: () => 0, monotonicMs: () => (ms += 1000) };
    const meter = new HostMeter(clock, '/');
    await meter.used();
    expect(Vector.safeParse(await meter.used()).error).toBeUndefined();
    const capacity = await guessCapacity('/');
    expect(Vector.safeParse(capacity).error).toBeUndefined();
    expect(Math.min(...Object.values(capacity))).toBeGreaterThan(0);
  });

  const steady = { now: () => 0, monotonicMs: () => 0 };
  const disk =
    (blocks: number, bfree: number, bsize = 2 ** 30) =>
    async () => ({ blocks, bfree, bsize });

  test('of counters that go back and of odd file systems is nothing that the API refuses', async () => {
    expect(processingUsed({ busyMs: 100, totalMs: 100 }, { busyMs: 50, totalMs: 200 }, 2, 0)).toBe(0);
    const odd: [number, number, number?][] = [
      [10, 25],
      [2 ** 53, 0, 2 ** 40],
      [0, 0, 0],
    ];
    const storage = [];
    for (const figures of odd) {
      const load = await new HostMeter(steady, '/', disk(...figures)).used();
      expect(Vector.safeParse(load).error).toBeUndefined();
      storage.push(load.storage);
    }
    expect(storage).toEqual([0, QUANTITY_MAX, 0]);
  });

  test('is given up where a file system does not answer, of which only one is waited for', async () => {
    let asked = 0;
    let answer: ((figures: { blocks: number; bfree: number; bsize: number }) => void) | undefined;
    const meter = new HostMeter(steady, '/gone', () => {
      asked += 1;
      return new Promise((resolve) => {
        answer = resolve;
      });
    });
    const why = 'the file system of /gone does not answer';
    for (let beats = 0; beats < 3; beats += 1) await expect(meter.used()).rejects.toThrow(why);
    expect(asked).toBe(1);
    answer?.(await disk(10, 3)());
    await expect(meter.used()).resolves.toMatchObject({ storage: 7 });
  });
});

describe('hooks', () => {
  test("get nothing of the agent's environment but harmless names", () => {
    const env = hookEnvironment({ PATH: '/bin', LABSCAPE_TOKEN: 'secret' }, { A: '1' }, { A: '2' });
    expect(env).toEqual({ PATH: '/bin', A: '2' });
  });

  test('answer with code and output', async () => {
    const options = { env: { PATH: process.env['PATH'] ?? '' }, timeoutMs: 5000 };
    const result = await runHook(['sh', '-c', 'echo hello; exit 3'], options);
    expect(result).toMatchObject({ code: 3, output: 'hello', reason: 'exited with code 3' });
  });

  test('are killed when late, and do not reject when they cannot be started', async () => {
    const env = { PATH: process.env['PATH'] ?? '' };
    const late = await runHook(['sh', '-c', 'sleep 60 & wait'], { env, timeoutMs: 100 });
    expect(late).toMatchObject({ code: undefined, reason: 'was killed after 100 ms' });
    const missing = await runHook(['/no/such/command'], { env, timeoutMs: 100 });
    expect(missing.code).toBeUndefined();
    expect(missing.reason).toContain('could not be started');
  });
});

describe('a health hook that no signal ends, as where a disk hangs', () => {
  test('makes its resource failed, and is the only one until it has ended', async () => {
    const ends: ((result: HookResult) => void)[] = [];
    let changes = 0;
    const watch = new HealthWatch({
      hooks: AgentConfig.shape.hooks.parse({ health: ['df'], healthEveryMs: 20 }),
      ...{ resource: 'r1', clock: { now: () => 0, monotonicMs: () => 0 }, environment: {} },
      onChange: () => {
        changes += 1;
      },
      run: () => new Promise((resolve) => ends.push(resolve)),
    });
    watch.start();
    expect(watch.takeHealth().status).toBe('ok');
    await until('given up', () => changes === 1);
    const reason = 'health hook was killed after 20 ms and has not ended';
    expect(watch.takeHealth()).toMatchObject({ status: 'failed', reason });
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(ends.length).toBe(1);
    ends[0]?.({ code: undefined, output: '', reason: 'was killed after 20 ms' });
    await until('asked again', () => ends.length === 2);
    ends[1]?.({ code: 0, output: '', reason: 'exited with code 0' });
    await until('well again', () => changes === 2);
    expect(watch.takeHealth().status).toBe('ok');
    watch.stop();
  });
});

describe('memory of processes', () => {
  test('reads the start time past a command with spaces and parentheses', () => {
    const fields = Array.from({ length: 30 }, (_, i) => String(i + 3));
    expect(startTicksOf(`12 (a ) b) ${fields.join(' ')}`)).toBe('22');
  });

  test('passes over a line that was cut off', () => {
    expect(parseRemembered('12 34\n56')).toEqual([{ pid: 12, startTicks: '34' }]);
  });
});

describe('configuration', () => {
  const config = {
    ...{ url: 'http://127.0.0.1:1', tokenFile: 't', labscape: 'north', agent: 'a' },
    resources: [{ id: 'r1', runner: { kind: 'process' } }],
  };

  test('fills in what is left out', () => {
    const parsed = parseConfig(JSON.stringify(config), 'agent.json');
    expect(parsed).toMatchObject({ longPollS: 0, load: 'host', hooks: { healthEveryMs: 5000 } });
    expect(parsed.resources[0]?.runner).toMatchObject({ kind: 'process', settleMs: 100 });
  });

  test('names every fault at once', () => {
    const broken = { ...config, url: 'nowhere', resources: [{ id: 'R!', runner: { kind: 'magic' } }] };
    const parse = () => parseConfig(JSON.stringify(broken), 'agent.json');
    expect(parse).toThrow(ConfigError);
    expect(parse).toThrow(/url: [\s\S]*resources\.0\.id: [\s\S]*resources\.0\.runner/);
    expect(() => parseConfig('{', 'agent.json')).toThrow('agent.json is not JSON');
  });

  describe('names paths from its own folder', () => {
    let folder = '';
    beforeAll(() => {
      folder = mkdtempSync(path.join(tmpdir(), 'agent-paths-'));
    });
    afterAll(() => rmSync(folder, { recursive: true }));
    const inFolder = (name: string) => path.join(folder, name);
    const loaded = (own: object) => {
      writeFileSync(inFolder('agent.json'), JSON.stringify({ ...config, ...own }));
      // As a user would say it from elsewhere.
      return loadConfig(path.relative(process.cwd(), inFolder('agent.json')));
    };
    const runnerOf = async (runner: object) =>
      (await loaded({ resources: [{ id: 'r1', runner }] })).resources[0]?.runner;

    test('those of token, key and the file system that is measured', async () => {
      expect(await loaded({ keyFile: '../key', storagePath: 'data' })).toMatchObject({
        ...{ tokenFile: inFolder('t'), keyFile: inFolder('../key'), storagePath: inFolder('data') },
      });
      expect(await loaded({ tokenFile: '/t' })).toMatchObject({ tokenFile: '/t', storagePath: '/' });
      expect((await loaded({})).keyFile).toBeUndefined();
    });

    test('those of each runner', async () => {
      const paths = { cwd: 'w', logDir: './logs', leaseFile: 'lease', stateFile: '/var/state' };
      expect(await runnerOf({ kind: 'process', ...paths })).toMatchObject({
        ...{
          cwd: inFolder('w'),
          logDir: inFolder('logs'),
          leaseFile: inFolder('lease'),
          stateFile: '/var/state',
        },
      });
      const worker = { kind: 'worker', command: ['node'], cwd: '.', logFile: 'log', stateFile: 'state' };
      expect(await runnerOf(worker)).toMatchObject({
        ...{ command: ['node'], cwd: folder, logFile: inFolder('log'), stateFile: inFolder('state') },
      });
      const bare = { kind: 'process' };
      expect(await runnerOf(bare)).toEqual(RunnerConfig.parse(bare));
    });

    test("and programs with a slash in their name; others are on the PATH, arguments are the program's own", async () => {
      const hooks = { start: ['hooks/unit', './x'], stop: ['stop', 'a/b'], check: ['/bin/check', './x'] };
      expect(await runnerOf({ kind: 'process', ...hooks })).toMatchObject({
        ...{ ...hooks, start: [inFolder('hooks/unit'), './x'] },
      });
      expect((await loaded({ hooks: { health: ['./well'], restore: ['hooks/new'] } })).hooks).toMatchObject({
        ...{ health: [inFolder('well')], restore: [inFolder('hooks/new')] },
      });
      expect(await runnerOf({ kind: 'worker', command: ['./w'] })).toMatchObject({
        command: [inFolder('w')],
      });
    });

    test('but a program beside a cwd from there, as the system does', async () => {
      const runner = { kind: 'process', start: ['hooks/unit'], cwd: 'w' };
      expect(await runnerOf(runner)).toMatchObject({ start: ['hooks/unit'], cwd: inFolder('w') });
    });
  });
});
