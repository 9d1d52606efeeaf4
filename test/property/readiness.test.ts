import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type Checked, FitCheck, type PlanAt } from '../../lib/allocation/fit-check.ts';
import { planFailover } from '../../lib/failover/plan.ts';
import {
  type Fit,
  isAlarming,
  type ReadinessFacts,
  readinessOf,
  type Watch,
} from '../../lib/failover/readiness.ts';
import type { Vector } from '../../lib/schemas/common.ts';
import { READINESS_STATES } from '../../lib/schemas/readiness.ts';
import { RULES } from '../../lib/schemas/rule.ts';
import { add, sum, within } from '../../lib/vector.ts';
import { demand, RUNS, vectorOf } from './arbitraries.ts';

const HELD_MAX = 6;
const NOW = 1_700_000_000_000;

interface Piece {
  readonly id: string;
  readonly demand: Vector;
}

const plan: PlanAt<Checked, Piece> = (failed, groups, others) => {
  const movable = groups.map((group) => ({
    ...{ ...group, epoch: 1, load: 1, count: 1, class: 'normal' as const, kind: 'k', constraints: {} },
    ...{ labscape: 'lab', heldUntil: undefined },
  }));
  const targets = others.map(({ id, limit, used, held }) => ({
    ...{ id, labscape: 'lab', status: 'healthy' as const, cfg: 1, limit, used },
    groups: new Array(held).fill('group'),
  }));
  const planned = planFailover(movable, targets, failed.limit, (to, group, used, held) =>
    within(add(used, group.demand), to.limit) && held < HELD_MAX ? undefined : 'no-room',
  );
  return { ...planned, until: Number.POSITIVE_INFINITY };
};

interface Shape {
  readonly limit: Vector;
  readonly pieces: readonly Vector[];
}
const shape: fc.Arbitrary<Shape> = fc.record({
  limit: vectorOf(fc.integer({ min: 1, max: 400 })),
  pieces: fc.array(demand(120), { maxLength: 4 }),
});

/** A fleet whose resources hold these pieces; the fill is nine tenths. */
const fleetOf = (shapes: readonly Shape[]) => {
  const groups = new Map<string, readonly Piece[]>();
  const fleet = shapes.map(({ limit, pieces }, at): Checked => {
    const id = `r${at}`;
    groups.set(
      id,
      pieces.map((one, i) => ({ id: `${id}-g${i}`, demand: one })),
    );
    const fill = { ...limit };
    for (const d of ['processing', 'memory', 'storage', 'network'] as const)
      fill[d] = Math.floor(0.9 * limit[d]);
    const load = JSON.stringify(pieces);
    return { id, limit, fill, used: sum(pieces), held: pieces.length, revision: 1, load };
  });
  return { fleet, groups };
};

const histories = fc.array(fc.array(shape, { minLength: 3, maxLength: 5 }), { minLength: 1, maxLength: 5 });

/** Each look plans at most so many. */
const run = (history: readonly (readonly Shape[])[], most: number) => {
  const check = new FitCheck<Checked, Piece>(plan, HELD_MAX);
  let last = { ...fleetOf([]), due: [] as readonly string[] };
  for (const shapes of history) {
    const { fleet, groups } = fleetOf(shapes);
    const due = check.look(fleet, NOW);
    for (const id of due.slice(0, most)) check.plan(id, groups.get(id) ?? []);
    last = { fleet, groups, due: due.slice(most) };
  }
  return { check, ...last };
};

describe('the check of single failures', () => {
  test('what it says fits has a proof that holds now, whatever has changed since it was planned', () => {
    fc.assert(
      fc.property(histories, (history) => {
        const { check, fleet, groups } = run(history, Number.POSITIVE_INFINITY);
        for (const { id } of fleet) {
          const fit = check.fitOf(id);
          if (fit === undefined || fit.kind === 'waits') continue;
          const gained = [...fit.gains.values()].map((gain) => gain.demand);
          expect(sum(gained)).toEqual(sum((groups.get(id) ?? []).map((piece) => piece.demand)));
          for (const [to, gain] of fit.gains) {
            const target = fleet.find((one) => one.id === to);
            if (target === undefined) throw new Error(`${to} is gone`);
            const bound = fit.kind === 'fits' ? target.fill : target.limit;
            const after = add(target.used, gain.demand);
            const over = (['processing', 'memory', 'storage', 'network'] as const).filter(
              (d) => gain.demand[d] > 0 && after[d] > bound[d],
            );
            expect([to === id, over, target.held + gain.groups <= HELD_MAX]).toEqual([false, [], true]);
          }
        }
      }),
      RUNS,
    );
  });

  test('what it says would wait is what the planner of a recovery says now', () => {
    fc.assert(
      fc.property(histories, (history) => {
        const { check, fleet, groups } = run(history, Number.POSITIVE_INFINITY);
        for (const failed of fleet) {
          const fit = check.fitOf(failed.id);
          if (fit?.kind !== 'waits') continue;
          const others = fleet.filter(({ id }) => id !== failed.id);
          expect(plan(failed, groups.get(failed.id) ?? [], others, NOW).unplaced).toHaveLength(fit.waiting);
        }
      }),
      RUNS,
    );
  });

  test('with few plans a look all are planned after some looks at a fleet at rest, and then none is due', () => {
    fc.assert(
      fc.property(histories, fc.integer({ min: 1, max: 2 }), (history, most) => {
        const last = history.at(-1) ?? [];
        const { check, fleet } = run([...history, ...Array(6).fill(last)], most);
        expect(fleet.filter(({ id }) => check.fitOf(id) === undefined)).toEqual([]);
        expect(check.look(fleet, NOW)).toEqual([]);
      }),
      RUNS,
    );
  });

  test('plans all whose time is over in turn, where a look at a fleet at rest plans few', () => {
    const brief: typeof plan = (failed, groups, others, now) => ({
      ...plan(failed, groups, others, now),
      until: now,
    });
    const check = new FitCheck<Checked, Piece>(brief, HELD_MAX);
    const large = { processing: 90, memory: 90, storage: 90, network: 90 };
    const { fleet, groups } = fleetOf(Array(5).fill({ limit: large, pieces: [large] }));
    const planned = Array.from({ length: 10 }, (_, at) => {
      const [first = ''] = check.look(fleet, NOW + at);
      check.plan(first, groups.get(first) ?? []);
      return first;
    });
    const ids = fleet.map(({ id }) => id);
    expect(planned).toEqual([...ids, ...ids]);
  });

  test('plans nothing anew for a fit that still stands, and everything that lacked when anything changed', () => {
    const wide = { processing: 100, memory: 100, storage: 100, network: 100 };
    const piece = { processing: 60, memory: 1, storage: 1, network: 1 };
    const small = { ...piece, processing: 10 };
    const before = [
      { limit: wide, pieces: [piece] },
      { limit: wide, pieces: [] },
      { limit: wide, pieces: [small] },
    ];
    const { check } = run([before], Number.POSITIVE_INFINITY);
    expect(check.fitOf('r0')?.kind).toBe('fits');
    // The one that changed is due; the other two rely on nothing that it took.
    expect(check.look(fleetOf(before.with(2, { limit: wide, pieces: [small, small] })).fleet, NOW)).toEqual([
      'r2',
    ]);
    // Its proof went to r1, where there is no room any more.
    const full = before.with(1, { limit: wide, pieces: [piece] });
    expect(check.look(fleetOf(full).fleet, NOW)).toContain('r0');
  });
});

const fits: fc.Arbitrary<Fit> = fc.oneof(
  fc.constant({ kind: 'fits' as const }),
  fc.constant({ kind: 'reserve' as const }),
  fc.constant({ kind: 'unchecked' as const }),
  fc.record({
    kind: fc.constant('waits' as const),
    waiting: fc.integer({ min: 1, max: 9 }),
    groups: fc.constant(9),
    why: fc.constant('no-room-memory'),
  }),
);

const objection = fc.record(
  {
    rule: fc.constantFrom(...RULES),
    effect: fc.constantFrom('asks' as const, 'refuses' as const),
    explanation: fc.constant('because'),
    override: fc.constant('o-1'),
  },
  { requiredKeys: ['rule', 'effect', 'explanation'] },
);

const facts: fc.Arbitrary<ReadinessFacts> = fc.record({
  fit: fits,
  objections: fc.array(objection, { maxLength: 3 }),
  watch: fc.constantFrom<Watch>('heard', 'silent', 'unwatched'),
  holds: fc.boolean(),
  frozen: fc.boolean(),
  fencing: fc.constantFrom('lease' as const, 'immediate' as const, 'ack' as const),
  speaks: fc.boolean(),
  silenceMs: fc.integer({ min: 100, max: 600_000 }),
  beatMs: fc.integer({ min: 50, max: 60_000 }),
});

/** From the best to the worst. */
const RANK: readonly string[] = ['ready', 'at-risk', 'unknown', 'not-ready'];

describe('readiness', () => {
  test('is ready when, and only when, nothing stands in the way', () => {
    expect([...RANK].sort()).toEqual([...READINESS_STATES].sort());
    fc.assert(
      fc.property(facts, (one) => {
        const { state, reasons } = readinessOf(one);
        expect(state === 'ready').toBe(reasons.length === 0);
        expect(state === 'not-ready').toBe(reasons.some(({ effect }) => effect === 'blocks'));
      }),
      RUNS,
    );
  });

  test('is never better with one more thing in the way', () => {
    const worse: fc.Arbitrary<Partial<ReadinessFacts>> = fc.constantFrom(
      { watch: 'silent' as const },
      { frozen: true },
      { speaks: false },
      { fencing: 'ack' as const },
      { fit: { kind: 'waits' as const, waiting: 1, groups: 1, why: 'no-room-memory' }, holds: true },
    );
    fc.assert(
      fc.property(facts, worse, objection, (one, change, more) => {
        const before = RANK.indexOf(readinessOf(one).state);
        expect(RANK.indexOf(readinessOf({ ...one, ...change }).state)).toBeGreaterThanOrEqual(before);
        const objections = [...one.objections, more];
        expect(RANK.indexOf(readinessOf({ ...one, objections }).state)).toBeGreaterThanOrEqual(before);
      }),
      RUNS,
    );
  });

  test('heeds no objection that is set aside, and no fit of one that holds nothing', () => {
    fc.assert(
      fc.property(facts, (one) => {
        const objections = one.objections.filter(({ override }) => override === undefined);
        expect(readinessOf({ ...one, objections })).toEqual(readinessOf(one));
        const empty = { ...one, holds: false };
        expect(readinessOf({ ...empty, fit: { kind: 'fits' } })).toEqual(readinessOf(empty));
      }),
      RUNS,
    );
  });

  test('has a bound where it would start by itself, no shorter than the silence that tells the fault', () => {
    fc.assert(
      fc.property(facts, (one) => {
        const { state, reasons, movedWithinMs } = readinessOf(one);
        const asks = reasons.some(({ code }) => code === 'mode-ask' || code === 'breaker');
        expect(movedWithinMs === undefined).toBe(state === 'not-ready' || asks);
        if (movedWithinMs !== undefined) expect(movedWithinMs).toBeGreaterThanOrEqual(one.silenceMs);
      }),
      RUNS,
    );
  });

  test('alarms for work that would be lost, not for what a person has chosen', () => {
    fc.assert(
      fc.property(facts, (one) => {
        const is = readinessOf(one);
        const chosen = one.objections.some(
          ({ rule, effect, override }) =>
            ['mode-off', 'mode-observe', 'maintenance'].includes(rule) &&
            effect === 'refuses' &&
            override === undefined,
        );
        expect(isAlarming(is, one.holds)).toBe(one.holds && is.state === 'not-ready' && !chosen);
      }),
      RUNS,
    );
  });
});
