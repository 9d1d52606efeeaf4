import { existsSync, mkdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { LogSink } from '../../../infra/local/functions/logs.ts';
import { until } from '../../api/rig.ts';
import { temporaryFolder } from '../../infra/support.ts';

/** At this size a file is renamed. */
const FILE_BYTES_MAX = 16 * 1024 * 1024;

const folder = temporaryFolder();
afterAll(() => folder.remove());

let said: string[];
beforeEach(() => {
  said = [];
  jest.spyOn(process.stderr, 'write').mockImplementation((text) => said.push(String(text)) > 0);
});
afterEach(() => {
  jest.restoreAllMocks();
});

const textOf = (path: string) => (existsSync(path) ? readFileSync(path, 'utf8') : '');

test('a log that cannot be written is said once, and written again as soon as it can be', async () => {
  const sink = new LogSink(join(folder.path, 'blocked'));
  const path = join(folder.path, 'blocked', 'f.log');
  // In the place of a full disk: any error ends a stream alike.
  mkdirSync(path);
  for (let line = 0; line < 3; line += 1) {
    sink.line('f', `lost ${line}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  rmdirSync(path);
  const write = () => {
    sink.line('f', 'written');
    return Promise.resolve(textOf(path) || undefined);
  };
  expect(await until('a line', write)).toMatch(/^written\n/);
  expect(said).toEqual([expect.stringContaining('f.log: lines are lost until it can be written: EISDIR')]);
  await sink.close();
});

test('a log that somebody removed when it was due to be renamed stops nobody', async () => {
  const sink = new LogSink(join(folder.path, 'removed'));
  const path = join(folder.path, 'removed', 'f.log');
  sink.line('f', 'x'.repeat(FILE_BYTES_MAX));
  await until('the file', () => Promise.resolve(existsSync(path) || undefined));
  rmSync(path);
  sink.line('f', 'later');
  await sink.close();
  expect(textOf(path)).toBe('later\n');
});
