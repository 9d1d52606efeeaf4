import { describe, expect, test } from '@jest/globals';
import { DYNAMIC_DEFAULT } from '../../../lib/allocation/strategies/dynamic.ts';
import { drawnStream } from '../../bench/drawn-streams.ts';
import { placedShare } from '../../bench/stream-model.ts';

/** Of the demand asked for; the benchmark `streams` looks at more of them. */
const BEHIND_BEST_MAX = 0.01;
const SEED = 1;

describe('dynamic, where the mix changes midway', () => {
  test.each([13, 17, 19])('beats its default and stays near the best: drawn stream %i', (drawn) => {
    const stream = drawnStream(drawn);
    const own = placedShare('dynamic', stream, SEED);
    const best = Math.max(
      placedShare('best-fit', stream, SEED),
      placedShare('fragmentation-aware', stream, SEED),
    );
    expect(own).toBeGreaterThan(placedShare(DYNAMIC_DEFAULT, stream, SEED));
    expect(own).toBeGreaterThanOrEqual(best - BEHIND_BEST_MAX);
  });
});
