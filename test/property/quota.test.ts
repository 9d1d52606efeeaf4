import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { cutQuota, fitQuota, recutQuota, type Slice } from '../../lib/allocation/quota.ts';
import { DIMENSIONS, QUANTITY_MAX, type Vector } from '../../lib/schemas/common.ts';
import { add, mapVector, subtract, sum, within, ZERO } from '../../lib/vector.ts';
import { demand, RUNS, vectorOf } from './arbitraries.ts';

const slices: fc.Arbitrary<Slice[]> = fc
  .array(fc.tuple(vectorOf(fc.nat({ max: 50 })), vectorOf(fc.nat({ max: 50 }))), {
    minLength: 1,
    maxLength: 16,
  })
  .map((list) => list.map(([used, spare], index) => ({ index, used, cap: add(used, spare) })));

describe('quota', () => {
  test('is cut into slices that add up to it, none much larger than another', () => {
    fc.assert(
      fc.property(
        vectorOf(fc.nat({ max: QUANTITY_MAX })),
        fc.integer({ min: 1, max: 16 }),
        (quota, count) => {
          const caps = cutQuota(quota, count);
          expect(caps).toHaveLength(count);
          expect(sum(caps)).toEqual(quota);
          for (const d of DIMENSIONS)
            expect(
              Math.max(...caps.map((c) => c[d])) - Math.min(...caps.map((c) => c[d])),
            ).toBeLessThanOrEqual(1);
        },
      ),
      RUNS,
    );
  });

  test('takes a demand exactly when all slices together have room, and gathers what it needs', () => {
    const left = (all: readonly Slice[]): Vector => sum(all.map((s) => subtract(s.cap, s.used)));
    fc.assert(
      fc.property(slices, demand(400), fc.nat(), (all, asked, start) => {
        const fit = fitQuota(all, asked, start % all.length);
        if (fit.kind === 'exceeded') {
          expect(within(asked, left(all))).toBe(false);
          expect(fit.left).toEqual(left(all));
          return;
        }
        expect(within(asked, left(all))).toBe(true);
        const lent = fit.kind === 'gather' ? fit.lend : new Map<number, Vector>();
        for (const [index, part] of lent) {
          const slice = all[index];
          expect(index).not.toBe(fit.index);
          expect(slice !== undefined && within(part, subtract(slice.cap, slice.used))).toBe(true);
          expect(within(ZERO, part)).toBe(true);
        }
        const target = all[fit.index];
        const cap = add(target?.cap ?? ZERO, sum(lent.values()));
        expect(within(add(target?.used ?? ZERO, asked), cap)).toBe(true);
        // No more is lent than is lacking.
        const lacking = subtract(add(target?.used ?? ZERO, asked), target?.cap ?? ZERO);
        if (fit.kind === 'gather')
          expect(sum(lent.values())).toEqual(mapVector((d) => Math.max(0, lacking[d])));
      }),
      RUNS,
    );
  });

  test('is cut anew to the same sum, and no slice below what it uses', () => {
    fc.assert(
      fc.property(slices, vectorOf(fc.nat({ max: 900 })), (all, quota) => {
        const caps = recutQuota(all, quota);
        const used = sum(all.map((slice) => slice.used));
        expect(caps === undefined).toBe(!within(used, quota));
        if (caps === undefined) return;
        expect(sum(caps)).toEqual(quota);
        for (const [index, cap] of caps.entries()) expect(within(all[index]?.used ?? ZERO, cap)).toBe(true);
      }),
      RUNS,
    );
  });
});
