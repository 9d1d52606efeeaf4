import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Candidate } from '../../lib/allocation/candidate.ts';
import { ineligible } from '../../lib/allocation/eligibility.ts';
import {
  nextTryAt,
  offerFairly,
  STARVING_AFTER_MS,
  starvesAt,
  type TenantUse,
  type Waiting,
} from '../../lib/allocation/pending.ts';
import { planReservations, RESERVATIONS_MAX, type Starving } from '../../lib/allocation/reservations.ts';
import { CLASSES, type Class, type Vector } from '../../lib/schemas/common.ts';
import { add, dominantShare, subtract, within, ZERO } from '../../lib/vector.ts';
import { demand, RUNS } from './arbitraries.ts';

const TOTAL = { processing: 1_000, memory: 1_000, storage: 1_000, network: 1_000 };
const TENANTS = ['t0', 't1', 't2', 't3'];

const waiting = (most: number): fc.Arbitrary<Waiting[]> =>
  fc
    .array(
      fc.record({
        class: fc.constantFrom(...CLASSES),
        demand: demand(200),
        tenant: fc.constantFrom(undefined, ...TENANTS),
        since: fc.integer({ min: 0, max: 50_000 }),
      }),
      { maxLength: most },
    )
    .map((all) => all.map((one, i) => ({ ...one, id: `g${String(i).padStart(3, '0')}` })));

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

/** One step of the history below, ms. */
const STEP_MS = 30_000;

interface Runs {
  readonly resource: string;
  readonly demand: Vector;
  readonly until: number;
}

/** A small fleet, its queue, and an adversary that places small work wherever the rule lets it. */
class World {
  fleet: Candidate[];
  queue: Starving[] = [];
  running: Runs[] = [];
  now = 0;

  constructor(count: number) {
    this.fleet = Array.from({ length: count }, (_, i) => ({
      ...{ id: `r${i}`, labscape: 'north', status: 'healthy' as const, labels: {}, cfg: 1, epoch: 1 },
      ...{ capacity: TOTAL, limit: TOTAL, fill: TOTAL, used: ZERO, groups: [] },
    }));
  }

  #shift(resource: string, by: Vector): void {
    this.fleet = this.fleet.map((one) => (one.id === resource ? { ...one, used: add(one.used, by) } : one));
  }

  run(resource: string, asked: Vector, forMs: number): void {
    this.#shift(resource, asked);
    this.running.push({ resource, demand: asked, until: this.now + forMs });
  }

  /** New work is placed at once wherever it may go. */
  arrive(asked: Vector, forMs: number): boolean {
    const target = this.fleet.find((one) => ineligible(one, asked, {}, 'placement') === undefined);
    if (target !== undefined) this.run(target.id, asked, forMs);
    return target !== undefined;
  }

  end(): void {
    const over = this.running.filter(({ until }) => until <= this.now);
    this.running = this.running.filter(({ until }) => until > this.now);
    for (const { resource, demand: freed } of over) this.#shift(resource, subtract(ZERO, freed));
  }

  /** As the sweep does it. */
  sweep(forMs: number): string[] {
    const { hold, drop } = planReservations(this.queue, this.fleet, this.now);
    this.fleet = this.fleet.map((one) => {
      const gone = drop.some(({ resource }) => resource === one.id);
      const held = hold.find(({ resource }) => resource === one.id);
      return held === undefined
        ? { ...one, reserved: gone ? undefined : one.reserved }
        : { ...one, reserved: held.group };
    });
    const placed: string[] = [];
    offerFairly({
      ...{ waiting: this.queue, tenants: new Map(), total: TOTAL, now: this.now },
      attempt: (one) => {
        const target = this.fleet.find(
          (each) =>
            (each.reserved === undefined || each.reserved === one.id) &&
            within(add(each.used, one.demand), each.fill),
        );
        if (target === undefined) return false;
        this.run(target.id, one.demand, forMs);
        placed.push(one.id);
        return true;
      },
    });
    this.queue = this.queue.filter(({ id }) => !placed.includes(id));
    return placed;
  }
}

test('nothing starves, whatever arrives: the bound holds for a group that needs a whole resource', () => {
  const classes = fc.constantFrom<Class>('high', 'normal', 'low');
  const crowd = fc.array(
    fc.record({ size: fc.integer({ min: 1, max: 400 }), steps: fc.integer({ min: 1, max: 10 }) }),
    { minLength: 5, maxLength: 40 },
  );
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 3 }),
      classes,
      crowd,
      fc.boolean(),
      (count, cls, arrivals, queues) => {
        const world = new World(count);
        const longestMs = 10 * STEP_MS;
        const whole: Starving = {
          id: 'whole',
          class: cls,
          demand: TOTAL,
          tenant: 't9',
          since: 0,
          constraints: {},
        };
        // Full from the beginning, so that it never simply fits.
        for (const one of world.fleet) world.run(one.id, { ...TOTAL, processing: 900 }, longestMs);
        world.queue.push(whole);
        let before = 0;
        const bound = () => STARVING_AFTER_MS[cls] + (before + 1) * longestMs + 2 * STEP_MS;
        let at = 0;
        let done = false;
        while (world.now <= bound() && !done) {
          world.end();
          done = world.sweep(longestMs).includes('whole');
          for (let i = 0; i < 12; i += 1) {
            const next = arrivals[at++ % arrivals.length] ?? { size: 1, steps: 1 };
            const asked = { processing: next.size, memory: 0, storage: 0, network: 0 };
            if (world.arrive(asked, next.steps * STEP_MS) || !queues || world.queue.length > 20) continue;
            // An adversary of the most urgent class, in the queue.
            const rival: Starving = {
              ...whole,
              id: `c${at}`,
              class: 'critical',
              demand: asked,
              since: world.now,
            };
            if (starvesAt(rival) < starvesAt(whole)) before += 1;
            world.queue.push(rival);
          }
          world.now += STEP_MS;
        }
        expect(done).toBe(true);
        const held = world.fleet.filter(({ reserved }) => reserved !== undefined);
        expect(held.length).toBeLessThanOrEqual(RESERVATIONS_MAX);
      },
    ),
    { ...RUNS, numRuns: 80 },
  );
});

test('a reservation is kept while it is needed, given up when not, and never for two', () => {
  fc.assert(
    fc.property(waiting(12), fc.integer({ min: 1, max: 6 }), (all, count) => {
      const starving = all.map((one): Starving => ({ ...one, constraints: {} }));
      const now = 4_000_000;
      const { fleet } = new World(count);
      const first = planReservations(starving, fleet, now);
      expect(first.drop).toEqual([]);
      expect(first.hold.length).toBe(Math.min(RESERVATIONS_MAX, starving.length, count));
      const held = fleet.map((one) => ({
        ...one,
        reserved: first.hold.find(({ resource }) => resource === one.id)?.group,
      }));
      expect(new Set(first.hold.map(({ group }) => group)).size).toBe(first.hold.length);
      expect(planReservations(starving, held, now)).toEqual({ hold: [], drop: [] });
      expect(planReservations([], held, now).drop).toHaveLength(first.hold.length);
    }),
    RUNS,
  );
});
