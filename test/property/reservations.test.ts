import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Candidate } from '../../lib/allocation/candidate.ts';
import { ineligible } from '../../lib/allocation/eligibility.ts';
import { offerFairly, STARVING_AFTER_MS, starvesAt } from '../../lib/allocation/pending.ts';
import { planReservations, RESERVATIONS_MAX, type Starving } from '../../lib/allocation/reservations.ts';
import type { Class, Vector } from '../../lib/schemas/common.ts';
import { add, subtract, within, ZERO } from '../../lib/vector.ts';
import { RUNS } from './arbitraries.ts';
import { TOTAL, waiting } from './waiting.ts';

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
