import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { placeOf, scanJson } from '../../../lib/http/json-scan.ts';

const parses = (text: string) => {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
};

describe('scanJson', () => {
  test('accepts what JSON.stringify writes, unless it refuses it for its names, depth or text', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5, noUnicodeString: false }), (value) => {
        const text = JSON.stringify(value);
        const fault = scanJson(text);
        if (fault !== undefined) expect(fault.what).toMatch(/not allowed|surrogate/);
      }),
      { numRuns: 1000 },
    );
  });

  test('accepts nothing that JSON.parse refuses, and finds a fault of form in nothing that it accepts', () => {
    const token = fc.constantFrom(
      ...[
        '{',
        '}',
        '[',
        ']',
        ':',
        ',',
        '"a"',
        '"b"',
        '"\\n"',
        '"\\x"',
        '0',
        '01',
        '-1.5e3',
        '1.',
        'true',
        'nul',
      ],
      ...['null', ' ', '\n', '"', '\\', 'é', '"é"'],
    );
    const ruleOfOurs = /not allowed|twice|deeper|surrogate/;
    fc.assert(
      fc.property(fc.array(token, { maxLength: 12 }), (tokens) => {
        const text = tokens.join('');
        const fault = scanJson(text);
        if (fault === undefined) expect([text, parses(text)]).toEqual([text, true]);
        else if (!ruleOfOurs.test(fault.what)) expect([text, parses(text)]).toEqual([text, false]);
      }),
      { numRuns: 5000 },
    );
  });

  test('takes no quadratic time for 64 KB of anything', () => {
    const hard = [
      '['.repeat(65_536),
      '"\\"'.repeat(20_000),
      `{${'"a":{'.repeat(19)}`,
      '"'.padEnd(65_536, '\\\\'),
    ];
    for (const text of [
      ...hard,
      JSON.stringify(Array.from({ length: 9_000 }, (_, i) => ({ [`k${i}`]: i }))),
    ]) {
      // Of the processor: others on the machine do not count.
      const before = process.cpuUsage();
      scanJson(text.slice(0, 65_536));
      expect(process.cpuUsage(before).user / 1e3).toBeLessThan(200);
    }
  });

  test('says the place in lines and columns', () => {
    expect(placeOf('a\nbc\n', 4)).toBe('line 2 column 3');
    expect(placeOf('', 0)).toBe('line 1 column 1');
  });
});
