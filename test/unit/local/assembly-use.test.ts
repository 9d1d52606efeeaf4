import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { pruneAssemblies, useAssembly } from '../../../infra/local/template/assembly-use.ts';

let cache: string;
beforeEach(() => {
  cache = mkdtempSync(path.join(tmpdir(), 'labscape-assemblies-'));
});
afterEach(() => rmSync(cache, { recursive: true }));

/** `at` in seconds: the greater, the newer. */
const made = (name: string, at: number): string => {
  const dir = path.join(cache, name);
  mkdirSync(dir);
  utimesSync(dir, at, at);
  return dir;
};

test('an assembly stays as long as a host runs on it, however many newer ones there are', () => {
  const old = made('old', 1);
  const release = useAssembly(old);
  utimesSync(old, 1, 1);
  made('older', 0);
  for (const [index, name] of ['a', 'b', 'c', 'd'].entries()) made(name, 10 + index);
  pruneAssemblies(cache);
  expect(readdirSync(cache).sort()).toEqual(['a', 'b', 'c', 'd', 'old']);
  release();
  utimesSync(old, 1, 1);
  pruneAssemblies(cache);
  expect(readdirSync(cache).sort()).toEqual(['a', 'b', 'c', 'd']);
});
