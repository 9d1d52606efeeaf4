import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from '@jest/globals';

const ROOT = resolve(import.meta.dirname, '../../..');
const SHOWN = /^\| (?<scenario>[^|]+) \| [^|]+ \| `(?<file>[^`]+)`: (?<name>[^|]+) \|$/;

interface Row {
  readonly file: string;
  readonly name: string;
}

const rowsOf = (page: string): readonly Row[] => {
  const lines = page.split('\n').filter((line) => line.startsWith('| '));
  return lines.slice(2).map((line) => {
    const { file = '', name = '' } = SHOWN.exec(line)?.groups ?? {};
    return { file, name };
  });
};

/** Why a row shows nothing; undefined when it does. */
const faultOf = ({ file, name }: Row): string | undefined => {
  if (file === '' || !existsSync(join(ROOT, file))) return `no file ${file}`;
  const quoted = [`test('${name}'`, `test("${name}"`];
  const source = readFileSync(join(ROOT, file), 'utf8');
  return quoted.some((call) => source.includes(call)) ? undefined : `${file} has no test "${name}"`;
};

describe('the page of scenarios', () => {
  const rows = rowsOf(readFileSync(join(ROOT, 'docs/scenarios.md'), 'utf8'));

  test('names for each a test that exists', () => {
    expect(rows.length).toBeGreaterThan(20);
    expect(rows.map(faultOf).filter((fault) => fault !== undefined)).toEqual([]);
  });

  test('would be found out', () => {
    const [row] = rows;
    if (row === undefined) throw new Error('no row');
    expect(faultOf({ ...row, name: 'nobody wrote this' })).toContain('has no test');
    expect(faultOf({ ...row, file: 'test/none.test.ts' })).toContain('no file');
    expect(rowsOf('| a | b | c |\n| --- | --- | --- |\n| x | y | z |').map(faultOf)).toEqual(['no file ']);
  });
});
