import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { boundFor, type Candidate } from '../../lib/allocation/candidate.ts';
import { ineligible } from '../../lib/allocation/eligibility.ts';
import { FleetIndex } from '../../lib/allocation/fleet-index.ts';
import { shareOfBound } from '../../lib/allocation/limits.ts';
import { isRelapse, returningAt } from '../../lib/health/returning.ts';
import { DIMENSIONS } from '../../lib/schemas/common.ts';
import { planMoves } from '../../lib/services/recovery/plan-moves.ts';
import { mapVector, within, ZERO } from '../../lib/vector.ts';

const AT = 1_700_000_000_000;
const policies = fc.record({
  probationMs: fc.integer({ min: 0, max: 100_000 }),
  slowStartMs: fc.integer({ min: 0, max: 100_000 }),
});

describe('what comes back', () => {
  test('takes nothing in its probation, then at most a linear share, and all of it at the end', () => {
    fc.assert(
      fc.property(policies, fc.double({ min: 0, max: 1, noNaN: true }), (policy, part) => {
        const { probationMs, slowStartMs } = policy;
        const now = AT + Math.floor(part * (probationMs + slowStartMs + 10));
        const returning = returningAt(AT, now, policy);
        const ranMs = now - AT - probationMs;
        if (ranMs >= slowStartMs) expect(returning).toBeUndefined();
        else if (ranMs < 0) expect(returning?.share).toBe(0);
        else {
          expect(returning?.share).toBeGreaterThan(0);
          expect(returning?.share).toBeLessThanOrEqual(Math.max(1 / 8, ranMs / slowStartMs));
          expect(returning?.share).toBeGreaterThan(ranMs / slowStartMs - 1 / 8 - 1e-9);
        }
      }),
    );
  });

  test('never takes less than a moment before', () => {
    fc.assert(
      fc.property(policies, fc.array(fc.nat(220_000), { minLength: 2 }), (policy, moments) => {
        const shares = moments
          .sort((a, b) => a - b)
          .map((ms) => returningAt(AT, AT + ms, policy)?.share ?? 1);
        expect(shares).toEqual([...shares].sort((a, b) => a - b));
      }),
    );
  });

  test('is not kept out for longer than its way takes, however the clock was set back', () => {
    fc.assert(
      fc.property(policies, fc.nat(10 ** 9), (policy, backMs) => {
        const { probationMs, slowStartMs } = policy;
        const out = returningAt(AT, AT - backMs, policy) !== undefined;
        if (out) expect(backMs).toBeLessThanOrEqual(probationMs + slowStartMs);
      }),
    );
  });

  test('flaps when it fails again in its probation', () => {
    const policy = { probationMs: 5_000 };
    expect(isRelapse(AT, AT + 4_999, policy)).toBe(true);
    expect(isRelapse(AT, AT + 5_000, policy)).toBe(false);
    expect(isRelapse(undefined, AT, policy)).toBe(false);
  });
});

const candidates = fc
  .record({
    share: fc.option(fc.integer({ min: 0, max: 8 }), { nil: undefined }),
    limit: fc.integer({ min: 8, max: 1_000 }),
    used: fc.double({ min: 0, max: 1, noNaN: true }),
  })
  .map(({ share, limit: each, used }, ...rest): Candidate => {
    const limit = mapVector(() => each);
    const fill = shareOfBound(limit, 0.9);
    const eased =
      share === undefined
        ? undefined
        : { share: share / 8, limit: shareOfBound(limit, share / 8), fill: shareOfBound(fill, share / 8) };
    return {
      ...{
        id: `r${rest.length}`,
        labscape: 'lab',
        status: 'healthy',
        labels: {},
        capacity: limit,
        limit,
        fill,
      },
      ...{ used: shareOfBound(fill, used), cfg: 1, epoch: 1, groups: [], eased },
    };
  });

describe('the bound of what comes back', () => {
  test('is a share of its fill for placement, and what the index admits is what the rules admit', () => {
    fc.assert(
      fc.property(candidates, fc.integer({ min: 1, max: 1_000 }), (candidate, asked) => {
        const bound = boundFor(candidate, 'placement');
        expect(within(bound, candidate.fill)).toBe(true);
        const demand = mapVector(() => asked);
        const index = new FleetIndex();
        index.put(candidate);
        const request = { demand, constraints: {}, purpose: 'placement' as const, most: 1 };
        const refused = ineligible(candidate, demand, {}, 'placement');
        expect(index.query(request).accepts(0)).toBe(refused === undefined);
        if (candidate.eased?.share === 0) expect(refused).toBe('in-probation');
        if (refused === undefined)
          for (const d of DIMENSIONS) expect(candidate.used[d] + asked).toBeLessThanOrEqual(bound[d]);
      }),
    );
  });

  test('takes of a flip no more than its share, and leaves the rest to be placed where there is room at all', () => {
    fc.assert(
      fc.property(
        fc.array(candidates, { minLength: 1, maxLength: 6 }),
        fc.array(fc.nat(300)),
        (fleet, sizes) => {
          const others = fleet.map((one, at) => ({ ...one, id: `r${at}` }));
          const groups = sizes.map((size, at) => ({
            ...{
              id: `g${at}`,
              epoch: 1,
              load: 1,
              count: 1,
              class: 'normal' as const,
              kind: 'k',
              constraints: {},
            },
            ...{ demand: mapVector(() => size), labscape: 'lab', heldUntil: undefined },
          }));
          const source = { id: 'failed', capacity: mapVector(() => 1_000) };
          const plan = planMoves(source, groups, others);
          for (const one of others) {
            const came = plan.moves.filter(({ to }) => to === one.id).map(({ group }) => group.demand);
            const after = came.reduce((used, d) => mapVector((x) => used[x] + d[x]), one.used);
            const bound = one.eased?.limit ?? one.limit;
            if (came.some((d) => !within(d, ZERO))) expect(within(after, bound)).toBe(true);
          }
          expect(plan.moves.length + plan.unplaced.length).toBe(groups.length);
        },
      ),
    );
  });
});
