import { expect, test } from '@jest/globals';
import { DYNAMIC_DEFAULT } from '../../../lib/allocation/strategies/dynamic.ts';
import type { StrategyName } from '../../../lib/schemas/strategy.ts';
import { placedShare, STREAMS } from './streams.ts';

/** Without spread, which without keys is least loaded, and without the weighted round robin of equal weights. */
const SINGLES: readonly StrategyName[] = [
  ...(['least-loaded', 'round-robin', 'power-of-two', 'best-fit'] as const),
  ...(['fragmentation-aware', 'consistent-hashing'] as const),
];
const SEEDS = [1, 2, 3];
/** Of the demand asked for. */
const BEHIND_BEST_MAX = 0.01;
const TIMEOUT_MS = 120_000;

test.each(Object.entries(STREAMS))(
  'dynamic beats its default and stays by the best: %s',
  (_name, stream) => {
    for (const seed of SEEDS) {
      const shares = new Map(SINGLES.map((name) => [name, placedShare(name, stream, seed)]));
      const own = placedShare('dynamic', stream, seed);
      expect(own).toBeGreaterThan(shares.get(DYNAMIC_DEFAULT) ?? 1);
      expect(own).toBeGreaterThanOrEqual(Math.max(...shares.values()) - BEHIND_BEST_MAX);
    }
  },
  TIMEOUT_MS,
);
