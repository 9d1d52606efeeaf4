import { DYNAMIC_DEFAULT } from '../../lib/allocation/strategies/dynamic.ts';
import type { StrategyName } from '../../lib/schemas/strategy.ts';
import { drawnStream } from './drawn-streams.ts';
import type { Figure } from './figures.ts';
import { ARRIVALS, placedShare, STREAMS, type Stream } from './stream-model.ts';

/** Without spread, which without keys is least loaded, and without the weighted round robin of equal weights. */
const SINGLES: readonly StrategyName[] = [
  ...(['least-loaded', 'round-robin', 'power-of-two', 'best-fit'] as const),
  ...(['fragmentation-aware', 'consistent-hashing'] as const),
];
const SEEDS = [1, 2, 3];
/** Of the demand asked for. */
const BEHIND_BEST_MAX = 0.01;

/** Drawn streams that the strategies' constants were chosen on, and those that nobody looked at before. */
const CHOSEN_ON = 12;
const DRAWN = 24;

interface Named {
  readonly name: string;
  readonly stream: Stream;
  readonly fresh: boolean;
}

const named = (): readonly Named[] => [
  ...Object.entries(STREAMS).map(([name, stream]) => ({ name, stream, fresh: false })),
  ...Array.from({ length: DRAWN }, (_, i) => ({
    ...{ name: `drawn ${i + 1}`, stream: drawnStream(i + 1), fresh: i >= CHOSEN_ON },
  })),
];

/**
 * Share of the demand placed over streams whose mix changes midway: `dynamic` must beat its default, unless that is
 * among the best, and stay within 1 % of the best single strategy. p50 and p99 are that share, there being one sample. `fresh`: no constant was chosen on this stream.
 */
export const streams = async (progress: (text: string) => void): Promise<readonly Figure[]> =>
  named().flatMap(({ name, stream, fresh }) =>
    SEEDS.map((seed) => {
      progress(`${name}, seed ${seed}`);
      const own = placedShare('dynamic', stream, seed);
      const shares = SINGLES.map((single) => [single, placedShare(single, stream, seed)] as const);
      const singles = Object.fromEntries(shares);
      const best = Math.max(...shares.map(([, share]) => share));
      const usual = singles[DYNAMIC_DEFAULT] ?? 1;
      // Where the default is as good as any, there is nothing to beat.
      const beats = own > usual || usual >= best - BEHIND_BEST_MAX;
      const held = beats && own >= best - BEHIND_BEST_MAX;
      return {
        ...{ name: `stream ${name}, seed ${seed}`, unit: 'placed/asked', n: 1, p50: own, p99: own },
        ...{ seed, fresh, arrivals: ARRIVALS, dynamic: own, best, singles, held },
      };
    }),
  );
