import { type ChildProcess, spawn } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import {
  COUNTER_BYTES_MAX,
  CounterFile,
  type CounterLine,
  parseCounterLine,
} from '../../../infra/local/sample/counter-file.ts';
import { until } from './runner-bench.ts';

let folder: string;
let children: ChildProcess[];
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'labscape-counter-'));
  children = [];
  mkdirSync(path.join(folder, 'acme'));
});
afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

const sample = (name: string) =>
  fileURLToPath(new URL(`../../../infra/local/sample/${name}`, import.meta.url));
const file = () => path.join(folder, 'acme', 'a.jsonl');
const lines = (): CounterLine[] =>
  existsSync(file())
    ? readFileSync(file(), 'utf8')
        .split('\n')
        .flatMap((line) => parseCounterLine(line) ?? [])
    : [];
const numbers = () => lines().map(({ n }) => n);

/** Both kinds of counter are held to the same promises. */
function shell(more: Record<string, string> = {}): ChildProcess {
  const child = spawn('sh', [sample('counter.sh')], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
    env: {
      ...{ PATH: process.env['PATH'] ?? '', COUNTER_DIR: folder, COUNTER_TICK_S: '0.05' },
      ...{ LABSCAPE_TENANT: 'acme', LABSCAPE_ALLOCATION: 'a', LABSCAPE_GROUP: 'g1' },
      ...{ LABSCAPE_EPOCH: '3', LABSCAPE_RESOURCE: 'r1' },
      ...more,
    },
  });
  children.push(child);
  return child;
}
function worker(): ChildProcess {
  const child = spawn(process.execPath, [sample('counter-worker.ts')], {
    stdio: ['pipe', 'ignore', 'inherit'],
    env: { PATH: process.env['PATH'] ?? '', COUNTER_DIR: folder, COUNTER_TICK_MS: '50' },
  });
  children.push(child);
  const start = { op: 'start', key: 'acme/a', tenant: 'acme', allocation: 'a', group: 'g1', epoch: 3 };
  child.stdin?.write(`${JSON.stringify({ ...start, resource: 'r1' })}\n`);
  return child;
}

describe.each<[string, () => ChildProcess]>([
  ['shell counter', () => shell()],
  ['worker', worker],
])('the %s', (_, run) => {
  test('appends a line a tick and says where and under which epoch', async () => {
    const before = Date.now();
    run();
    await until('three lines', () => lines().length >= 3);
    expect(numbers().slice(0, 3)).toEqual([1, 2, 3]);
    expect(lines()[0]).toMatchObject({ resource: 'r1', group: 'g1', epoch: 3 });
    expect(Math.abs((lines()[0]?.at ?? 0) - before)).toBeLessThan(3000);
  });

  test('goes on from the last number, past a line that a crash cut off', async () => {
    writeFileSync(
      file(),
      '{"n":6,"resource":"x","group":"g","epoch":1,"at":1}\n{"n":7,"resource":"x","group":"g","epoch":1,"at":1}\n{"n":8,"reso',
    );
    run();
    await until('more lines', () => lines().length >= 4);
    expect(numbers().slice(0, 4)).toEqual([6, 7, 8, 9]);
  });

  test('goes on from the file that was put aside', async () => {
    writeFileSync(`${file()}.1`, '{"n":41,"resource":"x","group":"g","epoch":1,"at":1}\n');
    run();
    await until('a line', () => lines().length >= 1);
    expect(numbers()[0]).toBe(42);
  });

  test('ends when its agent dies', async () => {
    const child = run();
    const ended = new Promise((resolve) => child.on('exit', resolve));
    await until('a line', () => lines().length >= 1);
    child.stdin?.end();
    await ended;
    const count = lines().length;
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(lines()).toHaveLength(count);
  });
});

test('a worker whose lease has run out stops by itself, though its agent is frozen', async () => {
  const child = worker();
  const ended = new Promise((resolve) => child.on('exit', resolve));
  await until('a line', () => lines().length >= 1);
  const leaseEnd = Date.now() + 200;
  child.stdin?.write(`${JSON.stringify({ op: 'lease', until: leaseEnd })}\n`);
  await ended;
  expect(Math.max(...lines().map(({ at }) => at))).toBeLessThan(leaseEnd);
});

test('a shell counter whose lease has run out stops by itself, and so does one that cannot know', async () => {
  const leaseFile = path.join(folder, 'lease');
  const leaseUntil = (wallMs: number) => {
    // As the agent does it: who reads in between must not find half of it.
    writeFileSync(`${leaseFile}.new`, `${wallMs}\n`);
    renameSync(`${leaseFile}.new`, leaseFile);
  };
  leaseUntil(Date.now() + 60_000);
  const child = shell({ LABSCAPE_LEASE_FILE: leaseFile });
  const ended = new Promise((resolve) => child.on('exit', resolve));
  await until('a line', () => lines().length >= 1);
  const leaseEnd = Date.now() + 200;
  leaseUntil(leaseEnd);
  expect(await ended).toBe(0);
  expect(Math.max(...lines().map(({ at }) => at))).toBeLessThan(leaseEnd);
  const blind = shell({ LABSCAPE_LEASE_FILE: path.join(folder, 'missing') });
  expect(await new Promise((resolve) => blind.on('exit', resolve))).toBe(1);
});

test('a long file is put aside, and the numbers go on', () => {
  const line = { resource: 'r1', group: 'g1', epoch: 1, at: 1 };
  appendFileSync(file(), `${' '.repeat(COUNTER_BYTES_MAX)}\n`);
  const counter = new CounterFile(file());
  counter.append(line);
  counter.append(line);
  counter.close();
  expect(existsSync(`${file()}.1`)).toBe(true);
  expect(numbers()).toEqual([2]);
});
