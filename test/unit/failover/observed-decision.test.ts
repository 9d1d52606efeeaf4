import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type FailureEnd, hindsightOf, wouldHave } from '../../../lib/failover/observed-decision.ts';
import type { Objection } from '../../../lib/schemas/rule.ts';

const AT = 1_800_000_000_000;
const decided = { decidedAt: AT, unneededWithinMs: 10_000 };
const later = fc.integer({ min: 0, max: 100_000 });

describe('in hindsight a decision to act', () => {
  test('is right when the work was down for longer than that, however it ended', () => {
    fc.assert(
      fc.property(
        later,
        fc.constantFrom<FailureEnd['by']>('itself', 'person', 'failed', 'recovery'),
        (ms, by) => {
          const { hindsight } = hindsightOf(decided, { at: AT + 10_001 + ms, by }, AT + 1_000_000);
          expect(hindsight).toBe('right');
          expect(hindsightOf(decided, undefined, AT + 10_001 + ms).hindsight).toBe('right');
        },
      ),
    );
  });

  test('is unneeded when it was back before, unless somebody acted, and open until one of it is so', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 10_000 }), later, (ms, since) => {
        const told = (by: FailureEnd['by']) =>
          hindsightOf(decided, { at: AT + ms, by }, AT + ms + since).hindsight;
        expect([told('itself'), told('person'), told('failed'), told('recovery')]).toEqual([
          ...['unneeded', 'unneeded', 'right', 'right'],
        ]);
        expect(hindsightOf(decided, undefined, AT + ms).hindsight).toBe('undecided');
      }),
    );
  });
});

test('what automation would have done is what the rules say next, unless it is set aside', () => {
  const observes: Objection = { rule: 'mode-observe', effect: 'refuses', explanation: '' };
  const breaker: Objection = { rule: 'breaker', effect: 'asks', explanation: '' };
  const coolDown: Objection = { rule: 'cool-down', effect: 'refuses', explanation: '' };
  expect(wouldHave([observes])).toBe('move');
  expect(wouldHave([observes, breaker, coolDown])).toBe('ask');
  expect(wouldHave([observes, { ...breaker, override: 'o' }, coolDown])).toBe('put-off');
});
