import { describe, expect, test } from '@jest/globals';
import { DYNAMIC_DEFAULT } from '../../../lib/allocation/strategies/dynamic.ts';
import { drawnStream } from '../../bench/drawn-streams.ts';
import { placedShare } from '../../bench/stream-model.ts';

/** Of the demand asked for; the benchmark `streams` looks at more of them. */
const BEHIND_BEST_MAX = 0.01;
const SEED = 1;
const ARRIVALS = 1_500;

describe('dynamic, where the mix changes midway', () => {
  test.each([17])('beats its default and stays near the best: drawn stream %i', (drawn) => {
    const stream = drawnStream(drawn);
    const own = placedShare('dynamic', stream, SEED, ARRIVALS);
    const best = Math.max(
      placedShare('best-fit', stream, SEED, ARRIVALS),
      placedShare('fragmentation-aware', stream, SEED, ARRIVALS),
    );
    expect(own).toBeGreaterThan(placedShare(DYNAMIC_DEFAULT, stream, SEED, ARRIVALS));
    expect(own).toBeGreaterThanOrEqual(best - BEHIND_BEST_MAX);
  });
});
