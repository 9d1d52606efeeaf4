import fc from 'fast-check';
import type { Waiting } from '../../lib/allocation/pending.ts';
import { CLASSES } from '../../lib/schemas/common.ts';
import { demand } from './arbitraries.ts';

/** What a small fleet has for all tenants. */
export const TOTAL = { processing: 1_000, memory: 1_000, storage: 1_000, network: 1_000 };
export const TENANTS = ['t0', 't1', 't2', 't3'];

/** At most so many groups that wait, of these tenants or displaced. */
export const waiting = (most: number): fc.Arbitrary<Waiting[]> =>
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
