import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { boundFor, type Candidate, type Purpose } from '../../lib/allocation/candidate.ts';
import { ineligible } from '../../lib/allocation/eligibility.ts';
import { FleetIndex } from '../../lib/allocation/fleet-index.ts';
import {
  canonicalConstraints,
  closeBoundOf,
  decodeGroupRef,
  encodeGroupRef,
  GROUPS_BORN_MAX,
  GROUPS_HELD_MAX,
  isLarge,
  kindOf,
} from '../../lib/allocation/groups.ts';
import { fillOf, limitOf } from '../../lib/allocation/limits.ts';
import type { PlacementRequest } from '../../lib/allocation/request.ts';
import { leastLoaded } from '../../lib/allocation/strategies/least-loaded.ts';
import { CLASSES, DIMENSIONS, QUANTITY_MAX } from '../../lib/schemas/common.ts';
import { add, dominantShare, mapVector, within } from '../../lib/vector.ts';
import { constraints, demand, fleet, RUNS, vectorOf } from './arbitraries.ts';

/** A fresh index of the fleet, its least loaded resources for the request, and why the others are not. */
const ranked = (all: readonly Candidate[], request: PlacementRequest) => {
  const index = new FleetIndex();
  for (const one of all) index.put(one);
  const choices = leastLoaded(index).choose(request, () => 0);
  return { candidates: choices.map(({ candidate }) => candidate), reasons: index.explain(request) };
};

/** Shares as a policy states them: at most four decimals. */
const share = (most: number) => fc.integer({ min: 1, max: most }).map((n) => n / 10_000);
const shares = fc.record({
  processing: share(8_000),
  memory: share(8_500),
  storage: share(7_500),
  network: share(7_000),
});
const capacity = vectorOf(fc.integer({ min: 1, max: QUANTITY_MAX }));

describe('limits', () => {
  test('are the greatest whole quantity that the share allows, exactly', () => {
    fc.assert(
      fc.property(capacity, shares, (whole, parts) => {
        const limit = limitOf(whole, parts);
        for (const d of DIMENSIONS) {
          const allowed = BigInt(whole[d]) * BigInt(Math.round(parts[d] * 10_000));
          expect(BigInt(limit[d]) * 10_000n <= allowed).toBe(true);
          expect(BigInt(limit[d] + 1) * 10_000n > allowed).toBe(true);
        }
      }),
      RUNS,
    );
  });

  test('hold the fill, which is nine tenths of them, or all', () => {
    fc.assert(
      fc.property(capacity, shares, (whole, parts) => {
        const limit = limitOf(whole, parts);
        const fill = fillOf(limit, 'system');
        expect(within(fill, limit) && within(limit, whole)).toBe(true);
        for (const d of DIMENSIONS) expect(fill[d]).toBe(Number((BigInt(limit[d]) * 9n) / 10n));
        expect(fillOf(limit, 'none')).toEqual(limit);
      }),
      RUNS,
    );
  });

  test('grow with the capacity', () => {
    fc.assert(
      fc.property(capacity, capacity, shares, (a, b, parts) => {
        const [small, large] = [
          mapVector((d) => Math.min(a[d], b[d])),
          mapVector((d) => Math.max(a[d], b[d])),
        ];
        expect(within(limitOf(small, parts), limitOf(large, parts))).toBe(true);
      }),
      RUNS,
    );
  });
});

describe('groups', () => {
  test('close at 4 % of any dimension, and a demand that reaches it is large', () => {
    fc.assert(
      fc.property(capacity, demand(1_000), (whole, asked) => {
        const bound = closeBoundOf(whole);
        for (const d of DIMENSIONS) {
          expect(bound[d]).toBeGreaterThanOrEqual(1);
          expect(bound[d]).toBeLessThanOrEqual(Math.max(1, whole[d] * 0.04));
        }
        expect(isLarge(asked, bound)).toBe(DIMENSIONS.some((d) => asked[d] >= bound[d]));
        // Whatever joins a group that was open leaves it below twice the bound.
        if (!isLarge(asked, bound)) expect(within(add(bound, asked), add(bound, bound))).toBe(true);
      }),
      RUNS,
    );
  });

  test('are told apart by what constraints mean, not by how they are written', () => {
    fc.assert(
      fc.property(constraints, fc.nat(), (one, turn) => {
        const turned = (list: readonly string[]) => {
          const at = turn % list.length;
          return [...list.slice(at), ...list.slice(0, at), ...list.slice(0, 1)];
        };
        const labels = Object.fromEntries(Object.entries(one.labels ?? {}).reverse());
        const other = {
          ...(one.labscapes === undefined ? {} : { labscapes: turned(one.labscapes) }),
          ...(one.notLabscapes === undefined ? {} : { notLabscapes: turned(one.notLabscapes) }),
          ...(one.labels === undefined ? {} : { labels }),
        };
        expect(canonicalConstraints(other)).toBe(canonicalConstraints(one));
        const more = { ...one, labscapes: [...(one.labscapes ?? []), 'elsewhere'] };
        expect(canonicalConstraints(more)).not.toBe(canonicalConstraints(one));
      }),
      RUNS,
    );
  });

  test('are remembered as class, profile and id, and read back so', () => {
    const id = fc.stringMatching(/^[a-z0-9-]{1,40}$/);
    fc.assert(
      fc.property(
        fc.constantFrom(...CLASSES),
        fc.stringMatching(/^[0-9a-f]{8}$/),
        id,
        (cls, profile, name) => {
          const ref = { kind: kindOf(cls, profile), group: name };
          expect(decodeGroupRef(encodeGroupRef(ref))).toEqual(ref);
        },
      ),
      RUNS,
    );
    expect(new Set(CLASSES.map((cls) => kindOf(cls, 'x'))).size).toBe(CLASSES.length);
  });
});

describe('placement', () => {
  const purpose = fc.constantFrom<Purpose>('placement', 'failover');
  const most = fc.integer({ min: 1, max: 6 });

  test('proposes only healthy, allowed resources with room, at most as many as asked', () => {
    fc.assert(
      fc.property(fleet(20), demand(400), constraints, purpose, most, (all, asked, wish, why, count) => {
        const request = { demand: asked, constraints: wish, purpose: why, kind: 'n.profile', most: count };
        const { candidates, reasons } = ranked(all, request);
        expect(candidates.length).toBeLessThanOrEqual(count);
        for (const one of candidates) {
          expect(one.status).toBe('healthy');
          expect(wish.labscapes?.includes(one.labscape) ?? true).toBe(true);
          expect(wish.notLabscapes?.includes(one.labscape) ?? false).toBe(false);
          expect(one.labels['rack']).toBe(wish.labels?.rack ?? one.labels['rack']);
          for (const d of DIMENSIONS)
            if (asked[d] > 0) expect(one.used[d] + asked[d]).toBeLessThanOrEqual(boundFor(one, why)[d]);
        }
        const refused = Object.values(reasons).reduce((total, n) => total + n, 0);
        const able = all.filter((one) => ineligible(one, asked, wish, why, 'n.profile') === undefined).length;
        expect(refused + able).toBe(all.length);
        expect(candidates).toHaveLength(Math.min(able, count));
      }),
      RUNS,
    );
  });

  test('places to fill only, fails over to the limit', () => {
    fc.assert(
      fc.property(fleet(20), demand(400), (all, asked) => {
        const ask = (why: Purpose) =>
          ranked(all, { demand: asked, constraints: {}, purpose: why, kind: 'n.profile', most: 20 });
        for (const one of ask('placement').candidates)
          for (const d of DIMENSIONS)
            if (asked[d] > 0) expect(one.used[d] + asked[d]).toBeLessThanOrEqual(one.fill[d]);
        const reached = new Set(ask('failover').candidates.map(({ id }) => id));
        for (const one of ask('placement').candidates) expect(reached.has(one.id)).toBe(true);
      }),
      RUNS,
    );
  });

  test('proposes the emptiest first, the smaller id at a tie, in whatever order it sees the fleet', () => {
    // Of one size and few levels of use, so that ties are many.
    const even = fleet(20).map((all) =>
      all.map((one): Candidate => {
        const capacity = { processing: 1_000, memory: 1_000, storage: 1_000, network: 1_000 };
        const limit = limitOf(capacity, { processing: 0.8, memory: 0.8, storage: 0.7, network: 0.7 });
        const used = mapVector((d) => (one.used[d] % 3) * 100);
        return { ...one, capacity, limit, fill: fillOf(limit, 'system'), used };
      }),
    );
    fc.assert(
      fc.property(
        fc.oneof(even, fleet(20)),
        demand(400),
        purpose,
        most,
        fc.nat(),
        (all, asked, why, count, turn) => {
          const request = { demand: asked, constraints: {}, purpose: why, most: count };
          const at = all.length === 0 ? 0 : turn % all.length;
          const turned = [...all.slice(at), ...all.slice(0, at)].reverse();
          const shareOf = (one: Candidate) => dominantShare(add(one.used, asked), boundFor(one, why));
          const expected = all
            .filter((one) => ineligible(one, asked, {}, why) === undefined)
            .sort((a, b) => shareOf(a) - shareOf(b) || (a.id < b.id ? -1 : 1))
            .slice(0, count);
          expect(ranked(turned, request).candidates).toEqual(expected);
        },
      ),
      RUNS,
    );
  });

  test('bears no group past the bound, but lets members into one of their kind', () => {
    fc.assert(
      fc.property(fleet(20), demand(50), purpose, (all, asked, why) => {
        const bound = why === 'failover' ? GROUPS_HELD_MAX : GROUPS_BORN_MAX;
        for (const one of all) {
          const strange = ineligible(one, asked, {}, why, 'c.other');
          if (one.groups.length >= bound) expect(strange).toBeDefined();
          const known = ineligible(one, asked, {}, why, 'n.profile');
          if (one.groups.length > 0) expect(known).not.toBe('too-many-groups');
        }
      }),
      RUNS,
    );
  });
});
