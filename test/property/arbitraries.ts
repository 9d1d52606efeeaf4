import fc from 'fast-check';
import type { Candidate } from '../../lib/allocation/candidate.ts';
import { fillOf, limitOf } from '../../lib/allocation/limits.ts';
import type { MovableGroup, Target } from '../../lib/failover/plan.ts';
import { CLASSES, type Vector } from '../../lib/schemas/common.ts';
import { RESOURCE_STATUSES } from '../../lib/schemas/resource.ts';

/** The same cases in every run; a failure prints the one that shrank. */
export const SEED = 20_261_121;
export const RUNS = { seed: SEED, numRuns: 300 } as const;

export const vectorOf = (quantity: fc.Arbitrary<number>): fc.Arbitrary<Vector> =>
  fc.record({ processing: quantity, memory: quantity, storage: quantity, network: quantity });

/** Something is asked for, often not in every dimension. */
export const demand = (max: number): fc.Arbitrary<Vector> =>
  vectorOf(fc.oneof(fc.constant(0), fc.integer({ min: 1, max }))).filter((v) =>
    Object.values(v).some((quantity) => quantity > 0),
  );

const SHARES = { processing: 0.8, memory: 0.85, storage: 0.75, network: 0.7 };
const LABSCAPES = ['north', 'east', 'south'];
const RACKS = ['a', 'b'];

export const constraints = fc.record(
  {
    labscapes: fc.subarray(LABSCAPES, { minLength: 1 }),
    notLabscapes: fc.subarray(LABSCAPES, { minLength: 1 }),
    labels: fc.record({ rack: fc.constantFrom(...RACKS) }),
  },
  { requiredKeys: [] },
);

const status = fc.oneof(
  { weight: 4, arbitrary: fc.constant('healthy' as const) },
  { weight: 1, arbitrary: fc.constantFrom(...RESOURCE_STATUSES) },
);

/** A resource that uses up to its limit, as failovers may leave it. */
const candidate = (id: string): fc.Arbitrary<Candidate> =>
  fc
    .record({
      ...{ status, capacity: vectorOf(fc.integer({ min: 1, max: 2_000 })) },
      labscape: fc.constantFrom(...LABSCAPES),
      rack: fc.constantFrom(...RACKS),
      shares: vectorOf(fc.integer({ min: 0, max: 10 })),
      held: fc.oneof(fc.integer({ min: 0, max: 30 }), fc.constantFrom(23, 24, 47, 48)),
      cfg: fc.integer({ min: 1, max: 3 }),
    })
    .map(({ rack, shares, held, capacity, ...rest }) => {
      const limit = limitOf(capacity, SHARES);
      const part = (d: keyof Vector) => Math.floor((limit[d] * shares[d]) / 10);
      return {
        ...rest,
        ...{ id, epoch: 1, capacity, limit, fill: fillOf(limit, 'system'), labels: { rack } },
        used: {
          processing: part('processing'),
          memory: part('memory'),
          storage: part('storage'),
          network: part('network'),
        },
        groups: Array.from({ length: held }, (_, i) => ({ kind: 'n.profile', group: `${id}-${i}` })),
      };
    });

export const fleet = (most: number): fc.Arbitrary<Candidate[]> =>
  fc
    .integer({ min: 0, max: most })
    .chain((count) =>
      fc.tuple(...Array.from({ length: count }, (_, i) => candidate(`r${String(i).padStart(3, '0')}`))),
    );

const group = (id: string): fc.Arbitrary<MovableGroup> =>
  fc.record({
    id: fc.constant(id),
    epoch: fc.integer({ min: 1, max: 9 }),
    load: fc.integer({ min: 1, max: 99 }),
    count: fc.integer({ min: 1, max: 40 }),
    class: fc.constantFrom(...CLASSES),
    kind: fc.constant('n.profile'),
    constraints,
    demand: demand(300),
    labscape: fc.constant('lab'),
    heldUntil: fc.constant(undefined),
  });

export const groups = (most: number): fc.Arbitrary<MovableGroup[]> =>
  fc
    .integer({ min: 0, max: most })
    .chain((count) =>
      fc.tuple(...Array.from({ length: count }, (_, i) => group(`g${String(i).padStart(3, '0')}`))),
    );

export const targetOf = (one: Candidate): Target => ({
  ...{ id: one.id, labscape: one.labscape, status: one.status, cfg: one.cfg },
  ...{ limit: one.limit, used: one.used, groups: one.groups },
});
