import type { StrategyName } from '../../schemas/strategy.ts';
import type { StrategyMaker } from '../strategy.ts';
import { bestFit } from './best-fit.ts';
import { consistentHashing } from './consistent-hashing.ts';
import { dynamic } from './dynamic.ts';
import { fragmentationAware } from './fragmentation-aware.ts';
import { leastLoaded } from './least-loaded.ts';
import { powerOfTwo } from './power-of-two.ts';
import { roundRobin } from './round-robin.ts';
import { spread } from './spread.ts';
import { weightedRoundRobin } from './weighted-round-robin.ts';

/** Every strategy by its name; each makes an instance for one index. */
export const STRATEGIES: Readonly<Record<StrategyName, StrategyMaker>> = {
  'least-loaded': leastLoaded,
  'round-robin': roundRobin,
  'weighted-round-robin': weightedRoundRobin,
  'power-of-two': powerOfTwo,
  'best-fit': bestFit,
  'fragmentation-aware': fragmentationAware,
  spread,
  'consistent-hashing': consistentHashing,
  dynamic,
};
