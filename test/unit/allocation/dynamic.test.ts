import { expect, test } from '@jest/globals';
import { DYNAMIC_DEFAULT } from '../../../lib/allocation/strategies/dynamic.ts';
import { STRATEGY_NAMES } from '../../../lib/schemas/strategy.ts';
import { placedShare, STREAMS } from './streams.ts';

const SEEDS = [1, 2, 3];
/** Of the demand asked for. */
const BEHIND_BEST_MAX = 0.01;
const TIMEOUT_MS = 120_000;

test.each(Object.entries(STREAMS))(
  'dynamic beats its default and stays by the best: %s',
  (_name, stream) => {
    for (const seed of SEEDS) {
      const shares = new Map(STRATEGY_NAMES.map((name) => [name, placedShare(name, stream, seed)]));
      const own = shares.get('dynamic') ?? 0;
      shares.delete('dynamic');
      expect(own).toBeGreaterThan(shares.get(DYNAMIC_DEFAULT) ?? 1);
      expect(own).toBeGreaterThanOrEqual(Math.max(...shares.values()) - BEHIND_BEST_MAX);
    }
  },
  TIMEOUT_MS,
);
