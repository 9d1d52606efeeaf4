import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Candidate } from '../../lib/allocation/candidate.ts';
import { ineligible } from '../../lib/allocation/eligibility.ts';
import { type ExplainedStrategy, explainPlacement } from '../../lib/allocation/explain.ts';
import { adjusted, adjustmentFor } from '../../lib/allocation/obstacles.ts';
import type { PlacementRequest } from '../../lib/allocation/request.ts';
import { DIMENSIONS } from '../../lib/schemas/common.ts';
import { constraints, demand, fleet, RUNS } from './arbitraries.ts';
import { leastLoadedOf } from './index-of.ts';

const strategy = (all: readonly Candidate[]): ExplainedStrategy => ({
  name: 'least-loaded',
  choose: (asked) => leastLoadedOf(all, asked),
});

const KEYS = ['db', 'web'];
const PLACES = ['eu', 'us'];

/** What constraints look at beside labels: where data is kept, and which spread keys are there. */
const placed = (most: number): fc.Arbitrary<Candidate[]> =>
  fleet(most).chain((all) =>
    fc.tuple(
      ...all.map((one) =>
        fc
          .record({
            residency: fc.constantFrom(undefined, ...PLACES),
            spread: fc.subarray([...KEYS, 'db.g1']),
            reserved: fc.constantFrom(undefined, undefined, undefined, 'starving'),
            quarantined: fc.constantFrom(undefined, undefined, undefined, true as const),
          })
          .map((more): Candidate => ({ ...one, ...more })),
      ),
    ),
  );

const devices = fc.record(
  {
    count: fc.integer({ min: 1, max: 3 }),
    milli: fc.constantFrom(250, 500, 1_000),
    models: fc.subarray(['a1', 'b2'], { minLength: 1 }),
  },
  { requiredKeys: ['count', 'milli'] },
);
const request = (withDevices: boolean): fc.Arbitrary<PlacementRequest> =>
  fc
    .record({
      ...{ demand: demand(1_500), devices, kind: fc.constantFrom('n.profile', 'n.other') },
      plain: constraints,
      residency: fc.option(fc.subarray(PLACES, { minLength: 1 }), { nil: undefined }),
      spread: fc.option(fc.record({ key: fc.constantFrom(...KEYS), hard: fc.boolean() }), { nil: undefined }),
    })
    .map(({ devices: asked, plain, residency, spread, ...rest }) => ({
      ...rest,
      constraints: { ...plain, ...(residency && { residency }), ...(spread && { spread }) },
      ...(withDevices ? { devices: asked } : {}),
      ...{ purpose: 'placement' as const, most: 3 },
    }));

const bank = fc.option(
  fc.record({
    model: fc.constantFrom('a1', 'b2'),
    used: fc.array(fc.constantFrom(0, 250, 500, 1_000), { minLength: 1, maxLength: 4 }),
  }),
  { nil: undefined },
);
const equipped = fc
  .tuple(placed(8), fc.array(bank, { minLength: 8, maxLength: 8 }))
  .map(([all, banks]) => all.map((one, i): Candidate => ({ ...one, devices: banks[i] })));

const takes = (candidate: Candidate, asked: PlacementRequest): boolean =>
  ineligible(candidate, asked.demand, asked.constraints, asked.purpose, asked.kind, asked.devices) ===
  undefined;

const byId = (all: readonly Candidate[], id: string): Candidate => {
  const found = all.find((one) => one.id === id);
  if (found === undefined) throw new Error(`no resource ${id}`);
  return found;
};

test.each([false, true])('every change that is named makes its resource take it (devices: %s)', (with_) => {
  const met: boolean[] = [];
  fc.assert(
    fc.property(equipped, request(with_), (all, asked) => {
      const { changes } = explainPlacement(strategy(all), all, asked);
      for (const change of changes) {
        met[Number(change.drop.includes('spread'))] = true;
        if (change.devices !== undefined) met[2] = true;
        if (change.drop.includes('residency')) met[3] = true;
        expect(takes(byId(all, change.resource), asked)).toBe(false);
        expect(takes(byId(all, change.resource), adjusted(asked, change))).toBe(true);
      }
    }),
    RUNS,
  );
  expect(met).toEqual([true, true, ...(with_ ? [true, true] : [undefined, true])]);
});

test('no part of a change can be left out, and none of it can be smaller', () => {
  fc.assert(
    fc.property(placed(8), request(false), (all, asked) => {
      for (const change of explainPlacement(strategy(all), all, asked).changes) {
        const target = byId(all, change.resource);
        for (const name of change.drop) {
          const drop = change.drop.filter((other) => other !== name);
          expect(takes(target, adjusted(asked, { ...change, drop }))).toBe(false);
        }
        for (const d of DIMENSIONS) {
          const by = change.less[d] ?? 0;
          if (by === 0 || by === asked.demand[d]) continue;
          expect(takes(target, adjusted(asked, { ...change, less: { ...change.less, [d]: by - 1 } }))).toBe(
            false,
          );
        }
      }
    }),
    RUNS,
  );
});

test('no resource would take it for giving up less', () => {
  fc.assert(
    fc.property(placed(8), request(false), (all, asked) => {
      const { changes } = explainPlacement(strategy(all), all, asked);
      const named = changes.find(({ drop }) => drop.length === 0);
      for (const one of all) {
        const other = adjustmentFor(one, asked);
        if (other === undefined || other.drop.length > 0 || changes.length === 0) continue;
        const share = (less: typeof other.less) =>
          Math.max(...DIMENSIONS.map((d) => (asked.demand[d] === 0 ? 0 : (less[d] ?? 0) / asked.demand[d])));
        expect(named).toBeDefined();
        expect(share(named?.less ?? {})).toBeLessThanOrEqual(share(other.less));
      }
    }),
    RUNS,
  );
});

test('what fits is ranked as the strategy ranks it, the reasons count the rest, and no change is named', () => {
  fc.assert(
    fc.property(placed(8), request(false), (all, asked) => {
      const { ranked, reasons, changes } = explainPlacement(strategy(all), all, asked);
      expect(ranked.map(({ resource }) => resource)).toEqual(
        leastLoadedOf(all, asked).map(({ candidate }) => candidate.id),
      );
      const figures = ranked.map(({ figure }) => figure ?? Number.NaN);
      expect(figures).toEqual([...figures].sort((a, b) => a - b));
      const refused = all.filter((one) => !takes(one, asked)).length;
      expect(Object.values(reasons).reduce((total, count) => total + count, 0)).toBe(refused);
      if (ranked.length > 0) expect(changes).toEqual([]);
    }),
    RUNS,
  );
});
