import type { FleetIndex } from '../fleet-index.ts';
import { BestFew } from '../index/best-few.ts';
import { LoadLadders } from '../index/load-ladder.ts';
import type { Query } from '../index/query.ts';
import type { Choice } from '../request.ts';
import { type StrategyMaker, strategyOf } from '../strategy.ts';

/** How often the key is held in each labscape. */
const heldIn = ({ rows, spread }: FleetIndex, key: string): ReadonlyMap<string, number> => {
  const counts = new Map<string, number>();
  for (const [row, held] of spread.holders(key)) {
    const { labscape } = rows.at(row);
    counts.set(labscape, (counts.get(labscape) ?? 0) + held);
  }
  return counts;
};

/** Labscapes in which the constraints admit something, those with equal counts together, fewest first. */
const tiersOf = (index: FleetIndex, query: Query, key: string): readonly ReadonlySet<string>[] => {
  const counts = heldIn(index, key);
  const tiers = new Map<number, Set<string>>();
  for (const { labscape } of query.cells()) {
    const count = counts.get(labscape) ?? 0;
    const tier = tiers.get(count) ?? new Set<string>();
    tiers.set(count, tier.add(labscape));
  }
  return [...tiers].sort(([a], [b]) => a - b).map(([, tier]) => tier);
};

/**
 * Spread: in the labscape where the request's spread key is held least often, on the resource that holds it least often, by
 * dominant share after the placement. `why`: that share. Ties: the smaller id. A soft spread's
 * rule, those without the key first, goes before all of it. Without a key this is least loaded. No state beyond the index. O(labscapes × a search for the least loaded).
 */
export const spread: StrategyMaker = (index) => {
  const ladders = new LoadLadders(index);
  const emptiest = (query: Query, most: number): readonly Choice[] => {
    const best = new BestFew(index.rows, most);
    ladders.search(query, best);
    return best.choices();
  };

  /** Rows of these labscapes that hold the key: fewest entries first, then by share; both in one figure. */
  const holding = (query: Query, key: string, most: number): readonly Choice[] => {
    const byCount = new Map<number, BestFew>();
    for (const [row, held] of index.spread.holders(key)) {
      if (!query.accepts(row)) continue;
      const best = byCount.get(held) ?? new BestFew(index.rows, most);
      byCount.set(held, best);
      best.offer(row, query.shareAfter(row));
    }
    const ranked = [...byCount].sort(([a], [b]) => a - b).flatMap(([, best]) => best.choices());
    return ranked.slice(0, most);
  };

  return strategyOf(index, 'spread', (query, most) => {
    const key = query.request.constraints.spread?.key;
    if (key === undefined) return emptiest(query, most);
    const choices: Choice[] = [];
    for (const tier of tiersOf(index, query, key)) {
      query.within = tier;
      const left = most - choices.length;
      choices.push(...(query.beside ? holding(query, key, left) : emptiest(query, left)));
      if (choices.length >= most) break;
    }
    query.within = undefined;
    return choices;
  });
};
