import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { runSeeds } from './campaign.ts';
import { readCorpus } from './corpus.ts';
import { breachesText } from './report.ts';
import { Pool } from './worker/pool.ts';

const SEEDS = 40;
/** They take two minutes where nothing else runs. */
const PATIENCE_MS = 600_000;

describe('the simulator', () => {
  let pool: Pool;
  beforeAll(async () => {
    pool = await Pool.start();
  });
  afterAll(async () => pool.stop());

  test(
    `holds every invariant in the histories of ${SEEDS} seeds, and puts them to the test`,
    async () => {
      const seeds = Array.from({ length: SEEDS }, (_, index) => index + 1);

      const { tally, failed } = await runSeeds(pool, seeds, { factor: 1 });

      expect(failed.map((one) => `seed ${one.seed}: ${breachesText(one)}`)).toEqual([]);
      expect(tally.seeds).toBe(SEEDS);
      expect(tally.weaknesses()).toEqual([]);
    },
    PATIENCE_MS,
  );

  test(
    'holds in every history that ever failed',
    async () => {
      const again = await Promise.all(
        readCorpus().map(({ seed, leftOut, factor }) => pool.run({ kind: 'seed', seed, leftOut, factor })),
      );

      expect(again.flatMap((one) => one.breaches.map(({ what }) => `seed ${one.seed}: ${what}`))).toEqual([]);
    },
    PATIENCE_MS,
  );

  test('tells the same history for the same seed, in whichever process, and another for another', async () => {
    const [one, same, other] = await Promise.all(
      [7, 7, 8].map((seed) => pool.run({ kind: 'seed', seed, trace: true })),
    );

    expect(same?.trace).toEqual(one?.trace);
    expect(same?.hash).toBe(one?.hash);
    expect(other?.hash).not.toBe(one?.hash);
  });

  test('tells the same history when every store call takes all layers of the SDK', async () => {
    const seeds = [7, 8, 31];
    const bare = await runSeeds(pool, seeds, { factor: 1 });

    const whole = await runSeeds(pool, seeds, { factor: 1, sdk: true });

    expect(bare.hashes.size).toBe(seeds.length);
    expect(whole.hashes).toEqual(bare.hashes);
  });

  test('strikes with none of the faults that are left out', async () => {
    const all = await pool.run({ kind: 'seed', seed: 7 });

    const none = await pool.run({ kind: 'seed', seed: 7, leftOut: '1-9999' });

    expect(all.struck.length).toBeGreaterThan(10);
    expect(none.struck).toEqual([]);
    expect(none.breaches).toEqual([]);
  });
});
