import type { Purpose } from '../candidate.ts';
import { BestFew } from '../index/best-few.ts';
import { SlackLadder } from '../index/slack-ladder.ts';
import { type StrategyMaker, strategyOf } from '../strategy.ts';

/**
 * Best fit for vectors: the resource that has least free of those that can take the demand, free being summed over the
 * dimensions in mean resources of the fleet. `why`: that sum before the placement. Ties: the smaller id. State: the mean
 * resource, taken anew when it has doubled or halved.
 */
export const bestFit: StrategyMaker = (index) => {
  const ladders = new Map<Purpose, SlackLadder>();
  const best = new BestFew(index.rows, 0);
  return strategyOf(index, 'best-fit', (query, most) => {
    const { purpose } = query.request;
    const ladder = ladders.get(purpose) ?? new SlackLadder(index, purpose);
    ladders.set(purpose, ladder);
    best.begin(most);
    ladder.search(query, best);
    return best.choices();
  });
};
