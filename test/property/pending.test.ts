import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { nextTryAt, offerFairly, type TenantUse, type Waiting } from '../../lib/allocation/pending.ts';
import { CLASSES, type Vector } from '../../lib/schemas/common.ts';
import { add, dominantShare, within, ZERO } from '../../lib/vector.ts';
import { demand, RUNS } from './arbitraries.ts';
import { TENANTS, TOTAL, waiting } from './waiting.ts';

const tenants = fc
  .tuple(...TENANTS.map(() => fc.record({ used: demand(500), weight: fc.integer({ min: 1, max: 5 }) })))
  .map((uses) => new Map<string, TenantUse>(uses.map((use, i) => [`t${i}`, use])));

/** The order in which all would be offered if each was placed. */
const orderOf = (all: readonly Waiting[], uses: ReadonlyMap<string, TenantUse>, now = 50_000): string[] => {
  const order: string[] = [];
  offerFairly({
    ...{ waiting: all, tenants: uses, total: TOTAL, now },
    attempt: ({ id }) => order.push(id) > 0,
  });
  return order;
};

test('everybody is offered once, urgent classes first, a tenant in the order of age', () => {
  fc.assert(
    fc.property(waiting(30), tenants, (all, uses) => {
      const byId = new Map(all.map((one) => [one.id, one]));
      const order = orderOf(all, uses).map((id) => byId.get(id) as Waiting);
      expect(order.map(({ id }) => id).sort()).toEqual(all.map(({ id }) => id).sort());
      const ranks = order.map((one) => CLASSES.indexOf(one.class));
      expect(ranks).toEqual([...ranks].sort((a, b) => a - b));
      for (const tenant of TENANTS)
        for (const cls of CLASSES) {
          const ages = order
            .filter((one) => one.tenant === tenant && one.class === cls)
            .map((one) => one.since);
          expect(ages).toEqual([...ages].sort((a, b) => a - b));
        }
      expect(orderOf([...all].reverse(), uses)).toEqual(order.map(({ id }) => id));
    }),
    RUNS,
  );
});

test('more weight or less use never puts a tenant later, and more use never earlier', () => {
  fc.assert(
    fc.property(waiting(30), tenants, demand(300), (all, uses, more) => {
      const one = all.map((each) => ({
        ...each,
        class: 'normal' as const,
        since: 49_000 + (each.since % 900),
      }));
      const positions = (of: ReadonlyMap<string, TenantUse>) => {
        const order = orderOf(one, of);
        return one
          .filter(({ tenant }) => tenant === 't0')
          .map(({ id }) => order.indexOf(id))
          .sort((a, b) => a - b);
      };
      const own = uses.get('t0') ?? { used: ZERO, weight: 1 };
      const before = positions(uses);
      const heavier = positions(new Map([...uses, ['t0', { ...own, weight: own.weight + 2 }]]));
      const fuller = positions(new Map([...uses, ['t0', { ...own, used: add(own.used, more) }]]));
      before.forEach((at, i) => {
        expect(heavier[i] ?? -1).toBeLessThanOrEqual(at);
        expect(fuller[i] ?? -1).toBeGreaterThanOrEqual(at);
      });
    }),
    RUNS,
  );
});

test('share guarantee: who still waits has no less than any other by more than that one’s last group', () => {
  const asks = fc.array(demand(60), { minLength: 2, maxLength: 4 });
  const EACH = 60;
  const weights = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 4, maxLength: 4 });
  fc.assert(
    fc.property(asks, weights, (tasks, weighed) => {
      const all = tasks.flatMap((task, t) =>
        Array.from(
          { length: EACH },
          (_, i): Waiting => ({
            ...{ id: `t${t}-${String(i).padStart(3, '0')}`, class: 'normal', demand: task, tenant: `t${t}` },
            since: 49_000,
          }),
        ),
      );
      const uses = new Map(tasks.map((_, t) => [`t${t}`, { used: ZERO, weight: weighed[t] ?? 1 }]));
      let used: Vector = ZERO;
      const got = tasks.map(() => ZERO);
      const stuck = new Set<string>();
      const offered = new Map<string, number>();
      offerFairly({
        ...{ waiting: all, tenants: uses, total: TOTAL, now: 50_000 },
        attempt: ({ tenant = '', demand: task }) => {
          const t = Number(tenant.slice(1));
          offered.set(tenant, (offered.get(tenant) ?? 0) + 1);
          if (!within(add(used, task), TOTAL)) {
            stuck.add(tenant);
            return false;
          }
          // Nobody gains while one that could still be served has a smaller share.
          for (const [other, task2] of tasks.entries()) {
            const name = `t${other}`;
            if (stuck.has(name) || !within(add(used, task2), TOTAL)) continue;
            if ((offered.get(name) ?? 0) >= EACH) continue;
            expect(dominantShare(got[t] ?? ZERO, TOTAL) / (weighed[t] ?? 1)).toBeLessThanOrEqual(
              dominantShare(got[other] ?? ZERO, TOTAL) / (weighed[other] ?? 1) + 1e-12,
            );
          }
          used = add(used, task);
          got[t] = add(got[t] ?? ZERO, task);
          return true;
        },
      });
      expect(offered).toEqual(new Map(tasks.map((_, t) => [`t${t}`, EACH])));
    }),
    { ...RUNS, numRuns: 60 },
  );
});

test('the pause after a failed try doubles, is bounded and never below half', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 99 }),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      (tries, chance) => {
        const pause = nextTryAt(tries, 1_000, chance) - 1_000;
        const full = Math.min(120_000, 15_000 * 2 ** (tries - 1));
        expect(pause).toBeLessThanOrEqual(full);
        expect(pause).toBeGreaterThanOrEqual(full / 2 - 1);
      },
    ),
    RUNS,
  );
});
