import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { negotiate } from '../../../lib/protocol/negotiate.ts';

const version = fc
  .tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 12 }))
  .map(([major, minor]) => `${major}.${minor}`);
const versions = fc.array(version, { minLength: 1, maxLength: 5 });
const majorOf = (of: string) => Number(of.split('.')[0]);
const minorOf = (of: string) => Number(of.split('.')[1]);

describe('the agreed version', () => {
  test('is of the highest common major, with the highest minor that both speak', () => {
    fc.assert(
      fc.property(versions, versions, (theirs, ours) => {
        const common = theirs.map(majorOf).filter((major) => ours.map(majorOf).includes(major));
        const agreed = negotiate(theirs, ours);
        if (common.length === 0) return expect(agreed).toBeUndefined();
        const major = Math.max(...common);
        const highest = (all: readonly string[]) =>
          Math.max(...all.filter((one) => majorOf(one) === major).map(minorOf));
        expect(agreed).toBe(`${major}.${Math.min(highest(theirs), highest(ours))}`);
      }),
    );
  });

  test('is the same from both sides, and adding a version never lowers it', () => {
    fc.assert(
      fc.property(versions, versions, version, (theirs, ours, more) => {
        expect(negotiate(theirs, ours)).toBe(negotiate(ours, theirs));
        const [before, after] = [negotiate(theirs, ours), negotiate([...theirs, more], ours)];
        if (before === undefined || after === undefined) return expect(before).toBeUndefined();
        const number = (of: string) => majorOf(of) * 1_000 + minorOf(of);
        expect(number(after)).toBeGreaterThanOrEqual(number(before));
      }),
    );
  });

  test.each([
    ['an older agent', ['1.0'], ['1.0', '1.3'], '1.0'],
    ['a newer agent', ['1.7'], ['1.3'], '1.3'],
    ['of one that speaks two majors', ['2.0', '1.7'], ['1.3'], '1.3'],
    ['of strangers', ['2.0', '0.9'], ['1.3'], undefined],
    ['by number, not by letter', ['1.9', '1.10'], ['1.11'], '1.10'],
  ])('with %s', (_, theirs, ours, agreed) => {
    expect(negotiate(theirs, ours)).toBe(agreed);
  });
});
