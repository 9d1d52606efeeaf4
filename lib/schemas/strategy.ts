import * as z from 'zod';

/** How a resource is chosen among those that can take a demand; each is a module in lib/allocation/strategies. */
export const STRATEGY_NAMES = [
  'least-loaded',
  'round-robin',
  'weighted-round-robin',
  'power-of-two',
  'best-fit',
  'fragmentation-aware',
  'spread',
  'consistent-hashing',
  'dynamic',
] as const;
export const StrategyName = z.enum(STRATEGY_NAMES);
export type StrategyName = z.infer<typeof StrategyName>;
