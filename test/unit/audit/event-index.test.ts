import { createHash } from 'node:crypto';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { EventIndex } from '../../../lib/audit/verify/event-index.ts';

const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex');

/** Chains as a table may hold them: with gaps, long, a single event. */
const chains = fc.uniqueArray(
  fc.record({
    entity: fc.string({ minLength: 1, maxLength: 8 }),
    revs: fc.uniqueArray(fc.integer({ min: 1, max: 2_000 }), { minLength: 1, maxLength: 40 }),
  }),
  { selector: ({ entity }) => entity, maxLength: 60 },
);

test('knows of every event what a map of them would, beyond its first size as well', () => {
  fc.assert(
    fc.property(chains, fc.integer({ min: 0, max: 1_500 }), (some, more) => {
      const long = Array.from({ length: more }, (_, at) => at + 1);
      const index = new EventIndex();
      const plain = new Map<string, { at: number; hash: string }>();
      for (const { entity, revs } of [...some, { entity: 'a long one', revs: long }]) {
        const events = revs
          .toSorted((a, b) => a - b)
          .map((rev) => ({ rev, at: rev * 1.7e9, hash: hashOf(`${entity}/${rev}`) }));
        for (const { rev, ...event } of events) plain.set(`${entity}/${rev}`, event);
        index.add(entity, events);
      }
      expect(index.size).toBe(plain.size);
      let number = 0;
      for (const [name, { hash }] of plain) {
        const [entity = '', rev] = [name.slice(0, name.lastIndexOf('/')), Number(name.split('/').at(-1))];
        const slot = index.find(entity, rev) ?? -1;
        expect([index.isHash(slot, hash), index.isHash(slot, hashOf('another'))]).toEqual([true, false]);
        expect(index.find(entity, 5_000)).toBeUndefined();
        number += 1;
        if (number % 3 > 0) index.seal(slot, number);
        expect(index.sealOf(slot)).toBe(number % 3 > 0 ? number : 0);
      }
      const unsealed = [...index.unsealed()].map(({ entity, rev, at }) => [`${entity}/${rev}`, at]);
      const expected = [...plain].filter((_, at) => (at + 1) % 3 === 0).map(([name, { at }]) => [name, at]);
      expect(unsealed.sort()).toEqual(expected.sort());
    }),
    { numRuns: 30 },
  );
});
