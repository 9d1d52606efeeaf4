import { stripVTControlCharacters } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { counted, duration, parseSpan, percent } from '../../../lib/cli/format.ts';
import { table } from '../../../lib/cli/table.ts';

test.each([
  [0, '0 groups'],
  [1, '1 group'],
  [2, '2 groups'],
])('%d of a thing is said as %s', (count, text) => {
  expect(counted(count, 'group')).toBe(text);
});

test('a count may have a word of its own for many', () => {
  expect([counted(1, 'recovery', 'recoveries'), counted(3, 'recovery', 'recoveries')]).toEqual([
    '1 recovery',
    '3 recoveries',
  ]);
});

describe('times', () => {
  test.each([
    [0.44, '0.4 ms'],
    [42, '42 ms'],
    [2_340, '2.3 s'],
    [245_000, '4 min 5 s'],
    [10_920_000, '3 h 2 min'],
    [781_200_000, '9 d 1 h'],
  ])('%d ms is %s', (ms, text) => {
    expect(duration(ms)).toBe(text);
  });

  test.each([
    ['90s', 90_000],
    ['15m', 900_000],
    ['2h', 7_200_000],
    ['1.5h', 5_400_000],
    ['250', 250],
    ['soon', undefined],
    ['-1s', undefined],
    ['', undefined],
  ])('%j is read as %j', (text, ms) => {
    expect(parseSpan(text)).toBe(ms);
  });
});

test('a share of nothing is none', () => {
  expect(percent(1, 0)).toBe('-');
  expect(percent(1, 3)).toBe('33 %');
});

test('columns of a table start at the same place whatever the colours', () => {
  const cell = fc.string({ unit: 'grapheme-ascii', maxLength: 12 }).map((text) => text.trim() || 'x');
  const coloured = cell.map((text) => `\u001b[32m${text}\u001b[39m`);
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.oneof(cell, coloured), fc.constant('|END')), { minLength: 1 }),
      (rows) => {
        const text = stripVTControlCharacters(table([{ title: 'A' }, { title: 'B' }], rows));
        const lines = text.split('\n');
        const starts = new Set(lines.slice(1).map((line) => line.lastIndexOf('|END')));
        expect(starts.size).toBe(1);
      },
    ),
  );
});
