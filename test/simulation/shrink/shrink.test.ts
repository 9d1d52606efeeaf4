import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { readableHistory } from '../world/history.ts';
import { formatOrdinals, parseOrdinals } from '../world/ordinals.ts';
import { shrink } from './shrink.ts';

const TRIES_MAX = 10_000;
const upTo = (count: number): readonly number[] => Array.from({ length: count }, (_, index) => index + 1);

describe('shrinking', () => {
  test('keeps just the faults without which it does not fail', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 60 }),
        fc.infiniteStream(fc.boolean()),
        async (count, coins) => {
          const all = upTo(count);
          const needed = all.filter(() => coins.next().value === true);

          const kept = await shrink(
            all,
            async (part) => needed.every((one) => part.includes(one)),
            TRIES_MAX,
          );

          expect(kept).toEqual(needed);
        },
      ),
      { numRuns: 50, seed: 1 },
    );
  });

  test('ends with one that no single fault can be taken from, where several would do', async () => {
    const fails = async (part: readonly number[]) =>
      [3, 14, 15].filter((one) => part.includes(one)).length >= 2;

    const kept = await shrink(upTo(40), fails, TRIES_MAX);

    expect(kept).toHaveLength(2);
    expect(await fails(kept)).toBe(true);
  });

  test('gives the smallest it has seen when its tries are used up', async () => {
    let tries = 0;

    const kept = await shrink(
      upTo(64),
      async (part) => {
        tries += 1;
        return part.includes(9) && part.includes(60);
      },
      12,
    );

    expect(tries).toBeLessThanOrEqual(12);
    expect(kept).toContain(9);
    expect(kept).toContain(60);
    expect(kept.length).toBeLessThan(64);
  });
});

describe('numbers of faults', () => {
  test('are read back as they were written', () => {
    const written = '1-11,13,40-9999';

    const read = parseOrdinals(written);

    expect(read.has(11) && !read.has(12) && read.has(13) && !read.has(14)).toBe(true);
    expect(formatOrdinals(read)).toBe(written);
    expect(formatOrdinals(parseOrdinals(''))).toBe('');
  });

  test('are refused when they are none', () => {
    expect(() => parseOrdinals('1,x')).toThrow(RangeError);
  });
});

describe('a readable history', () => {
  test('shows faults, who wrote what the breach names, and the end, and counts the rest', () => {
    const noise = Array.from({ length: 30 }, (_, index) => `${index} heartbeats#9: Query `);
    const trace = [
      '1 allocations#1 begins',
      '1 allocations#1: GetItem TENANT#t',
      '2 heartbeats#2: GetItem PRINCIPAL#agent-lab-1',
      '3 allocations#1: TransactWriteItems RES#lab-0-r1 GRP#id-00000003',
      '3   fault 4: crashAfter',
      ...noise,
      '!! invariant 3: group id-00000003 does not add up',
    ];
    const breaches = [{ invariant: 3, what: 'group id-00000003 does not add up' }];

    const told = readableHistory({ trace, breaches });

    expect(told.slice(0, 6)).toEqual([
      '1 allocations#1 begins',
      '1 allocations#1: GetItem TENANT#t',
      '   … 1 lines',
      '3 allocations#1: TransactWriteItems RES#lab-0-r1 GRP#id-00000003',
      '3   fault 4: crashAfter',
      '   … 19 lines',
    ]);
    expect(told.at(-1)).toContain('!! invariant 3');
  });
});
