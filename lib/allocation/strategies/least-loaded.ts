import { BestFew } from '../index/best-few.ts';
import { LoadLadders } from '../index/load-ladder.ts';
import { type StrategyMaker, strategyOf } from '../strategy.ts';

/**
 * Least loaded by dominant share (Ghodsi et al., NSDI 2011): the resource whose fullest dimension is emptiest after the
 * placement. `why`: that share of its bound. Ties: the smaller id. No state beyond the index.
 */
export const leastLoaded: StrategyMaker = (index) => {
  const ladders = new LoadLadders(index);
  const best = new BestFew(index.rows, 0);
  return strategyOf(index, 'least-loaded', (query, most) => {
    best.begin(most);
    ladders.search(query, best);
    return best.choices();
  });
};
