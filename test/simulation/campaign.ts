import { type Caught, hunt, MUTATION_SEEDS_MAX, MUTATIONS } from './mutations/mutations.ts';
import type { SeedResult } from './run-seed.ts';
import { Tally } from './tally.ts';
import type { Pool } from './worker/pool.ts';

export interface Campaign {
  readonly tally: Tally;
  readonly failed: readonly SeedResult[];
  /** Of each history's trace, by seed. */
  readonly hashes: ReadonlyMap<number, string>;
}

/** Runs the seeds, as many at a time as the pool has workers. A history that cannot be run is an error, not a breach. */
export const runSeeds = async (
  pool: Pool,
  seeds: readonly number[],
  how: { readonly factor: number; readonly sdk?: boolean },
  onDone: (done: number, violations: number) => void = () => {},
): Promise<Campaign> => {
  const tally = new Tally();
  const failed: SeedResult[] = [];
  const hashes = new Map<number, string>();
  await Promise.all(
    seeds.map(async (seed) => {
      const result = await pool.run({ kind: 'seed', seed, ...how });
      tally.add(result);
      hashes.set(seed, result.hash);
      if (result.breaches.length > 0) failed.push(result);
      onDone(tally.seeds, tally.violations);
    }),
  );
  return { tally, failed: failed.sort((a, b) => a.seed - b.seed), hashes };
};

/** Looks for every mutation, or for the one of that name, several at a time; `onDone` hears of each, and how many there are. */
export const huntAll = (
  pool: Pool,
  only: string | undefined,
  onDone: (found: Caught, of: number) => void = () => {},
): Promise<readonly Caught[]> => {
  const wanted = MUTATIONS.filter(({ name }) => only === undefined || name === only);
  return Promise.all(
    wanted.map(async (mutation) => {
      const run = ({ seed }: { readonly seed: number }) =>
        pool.run({ kind: 'seed', seed, mutation: mutation.name });
      const found = await hunt(run, mutation, MUTATION_SEEDS_MAX);
      onDone(found, wanted.length);
      return found;
    }),
  );
};
