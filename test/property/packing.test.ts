import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { FleetIndex } from '../../lib/allocation/fleet-index.ts';
import { CuttingStock } from '../../lib/allocation/packing/cutting-stock.ts';
import { DEVICE_SLOTS, type PackDemand } from '../../lib/allocation/packing/shape.ts';
import { STRATEGIES } from '../../lib/allocation/strategies/registry.ts';
import { candidateOf, type PackNode, unfit } from '../bench/pack-node.ts';
import { type Placement, requestOf } from '../bench/placing.ts';
import { RUNS } from './arbitraries.ts';

const MODELS = ['a', 'b'];
const DIMENSIONS = 3;

const node = (id: string): fc.Arbitrary<PackNode> =>
  fc
    .record({
      capacity: fc.array(fc.integer({ min: 0, max: 40 }), { minLength: DIMENSIONS, maxLength: DIMENSIONS }),
      model: fc.constantFrom(...MODELS),
      devices: fc.array(fc.constantFrom(0, 300, 700, DEVICE_SLOTS), { maxLength: 4 }),
    })
    .map((rest) => ({ ...rest, id, free: rest.capacity }));

/** Few shapes, so that equal nodes and ties are many. */
const fleet: fc.Arbitrary<readonly PackNode[]> = fc
  .integer({ min: 0, max: 8 })
  .chain((count) => fc.tuple(...Array.from({ length: count }, (_, i) => node(`n${i}`))))
  .map((nodes) => nodes.flatMap((one) => [one, { ...one, id: `${one.id}-twin` }]));

const demand: fc.Arbitrary<PackDemand> = fc.record(
  {
    amounts: fc.array(fc.integer({ min: 0, max: 15 }), { minLength: DIMENSIONS, maxLength: DIMENSIONS }),
    devices: fc.record(
      {
        count: fc.integer({ min: 1, max: 3 }),
        slots: fc.constantFrom(100, 230, 470, 810, DEVICE_SLOTS),
        models: fc.subarray(MODELS, { minLength: 1 }),
      },
      { requiredKeys: ['count', 'slots'] },
    ),
  },
  { requiredKeys: ['amounts'] },
);

/** A step: place a demand, or give back one that stands, or replace a node, each picked by a number. */
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('place' as const), demand }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('release' as const), pick: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('leave' as const), pick: fc.nat() }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

interface Standing {
  readonly placement: Placement;
  readonly demand: PackDemand;
}

/** Books of our own, kept the plain way. */
class Books {
  readonly nodes: Map<string, PackNode>;
  standing: Standing[] = [];

  constructor(nodes: readonly PackNode[]) {
    this.nodes = new Map(nodes.map((one) => [one.id, one]));
  }

  shift({ placement, demand: asked }: Standing, sign: 1 | -1): PackNode {
    const one = this.nodes.get(placement.node);
    if (one === undefined) throw new Error(`${placement.node} is unknown`);
    const after: PackNode = {
      ...one,
      free: one.free.map((amount, d) => amount + sign * (asked.amounts[d] ?? 0)),
      devices: one.devices.map((slots, i) =>
        placement.devices.includes(i) ? slots + sign * (asked.devices?.slots ?? 0) : slots,
      ),
    };
    this.nodes.set(one.id, after);
    return after;
  }
}

/** Plays the steps through the strategy and the index; what stands is known from its answers alone. */
const play = (
  nodes: readonly PackNode[],
  steps: readonly Step[],
  check?: (books: Books, one: Standing) => void,
) => {
  const index = new FleetIndex();
  const strategy = STRATEGIES['fragmentation-aware'](index);
  const books = new Books(nodes);
  for (const one of nodes) index.put(candidateOf(one));
  const shift = (one: Standing, sign: 1 | -1): void => {
    const after = books.shift(one, sign);
    index.put(candidateOf(after));
  };
  const answers: (Placement | undefined)[] = [];
  for (const one of steps) {
    if (one.kind === 'place') {
      const [first] = strategy.choose(requestOf(one.demand), () => 0);
      const placement = first && { node: first.candidate.id, devices: first.devices ?? [] };
      answers.push(placement);
      const anyFits = [...books.nodes.values()].some(
        (candidate) => unfit(candidate, one.demand) === undefined,
      );
      expect(placement !== undefined).toBe(anyFits);
      if (placement === undefined) continue;
      const standing = { placement, demand: one.demand };
      check?.(books, standing);
      shift(standing, -1);
      books.standing.push(standing);
    } else if (one.kind === 'release') {
      const [gone] = books.standing.splice(one.pick % Math.max(1, books.standing.length), 1);
      if (gone !== undefined) shift(gone, 1);
    } else {
      const id = [...books.nodes.keys()][one.pick % Math.max(1, books.nodes.size)];
      if (id === undefined) continue;
      index.remove(id);
      books.nodes.delete(id);
      books.standing = books.standing.filter(({ placement }) => placement.node !== id);
    }
  }
  return answers;
};

const steps = fc.array(step, { maxLength: 60 });

describe('packing', () => {
  test('places whatever fits somewhere, on devices that have room', () => {
    fc.assert(
      fc.property(fleet, steps, (nodes, all) => {
        play(nodes, all, (books, { placement, demand: asked }) => {
          const one = books.nodes.get(placement.node);
          expect(one && unfit(one, asked)).toBeUndefined();
          expect(placement.devices).toHaveLength(asked.devices?.count ?? 0);
          expect(new Set(placement.devices).size).toBe(asked.devices?.count ?? 0);
          for (const index of placement.devices)
            expect(one?.devices[index] ?? -1).toBeGreaterThanOrEqual(asked.devices?.slots ?? 0);
        });
      }),
      RUNS,
    );
  });

  test('answers alike when asked alike, in whatever order the nodes were added', () => {
    fc.assert(
      fc.property(fleet, steps, (nodes, all) => {
        const placed = all.filter(({ kind }) => kind !== 'leave');
        expect(play([...nodes].reverse(), placed)).toEqual(play(nodes, placed));
      }),
      RUNS,
    );
  });
});

describe('worth of gaps', () => {
  const mix = fc.uniqueArray(
    fc.record({
      slots: fc.integer({ min: 1, max: 50 }).map((n) => n * 20),
      weight: fc.integer({ min: 1, max: 99 }),
    }),
    { minLength: 1, maxLength: 8, selector: ({ slots }) => slots },
  );
  const solve = (sizes: readonly { slots: number; weight: number }[]) => {
    const stock = new CuttingStock(sizes);
    let count = 0;
    while (!stock.done) {
      stock.step();
      count += 1;
    }
    expect(count).toBeLessThanOrEqual(8 * sizes.length);
    return stock.worth();
  };

  test('is a feasible dual: nothing that fits on a device is worth more than a device, and worth grows with the gap', () => {
    fc.assert(
      fc.property(mix, (sizes) => {
        const worth = solve(sizes);
        expect(worth[0]).toBe(0);
        for (let gap = 1; gap <= DEVICE_SLOTS; gap++)
          expect(worth[gap]).toBeGreaterThanOrEqual(worth[gap - 1] ?? 0);
        expect(worth[DEVICE_SLOTS]).toBe(DEVICE_SLOTS);
      }),
      RUNS,
    );
  });

  test('is known for mixes whose best cuts can be seen', () => {
    const worth = solve([
      { slots: 810, weight: 10 },
      { slots: 160, weight: 1 },
      { slots: 470, weight: 8 },
    ]);
    // More 810s than 160s: most stand alone, so the gap they leave is worth nothing, and two 470s share a device.
    expect([worth[810], worth[190], worth[470], worth[530]]).toEqual([1_000, 0, 500, 500]);
  });
});
