import type { Choice } from '../request.ts';
import { type StrategyMaker, strategyOf } from '../strategy.ts';

/**
 * One resource after the other: the next in the order in which they came into the index, after the one proposed first
 * last time, that can take the demand. Runners-up are the ones after it. Ties cannot be. State: the last row. O(rows
 * passed over).
 */
export const roundRobin: StrategyMaker = (index) => {
  let last = -1;
  return strategyOf(index, 'round-robin', (query, most) => {
    const { rows } = index;
    const { end } = rows;
    const choices: Choice[] = [];
    const after = last;
    const turns = !query.beside && query.request.dry !== true;
    for (let step = 1; step <= end && choices.length < most; step++) {
      const row = (after + step) % end;
      if (!query.accepts(row)) continue;
      if (choices.length === 0 && turns) last = row;
      choices.push({ candidate: rows.at(row) });
    }
    return choices;
  });
};
