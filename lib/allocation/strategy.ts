import type { StrategyName } from '../schemas/strategy.ts';
import type { FleetIndex } from './fleet-index.ts';
import type { Query } from './index/query.ts';
import type { Choice, PlacementRequest, Uniform } from './request.ts';

/**
 * The seam of the allocation engine. A strategy belongs to one index and may keep a state of its own, so a warm function
 * holds one of each and puts its own commits into the index. The same state, index, request and chance give the same
 * answer.
 */
export interface Strategy {
  readonly name: StrategyName;
  /** Resources that can take the demand, best first, at most `request.most`; none when nothing can. Takes nothing. */
  choose(request: PlacementRequest, chance: Uniform): readonly Choice[];
}

export type StrategyMaker = (index: FleetIndex) => Strategy;

/** Ranks what `query` accepts, at most `most` of it. */
export type Rank = (query: Query, most: number, chance: Uniform) => readonly Choice[];

/** A strategy by its ranking: with a spread, rows that do not hold the key come first, then the others. */
export const strategyOf = (index: FleetIndex, name: StrategyName, rank: Rank): Strategy => ({
  name,
  choose: (request, chance) => {
    const query = index.query(request);
    const apart = rank(query, request.most, chance);
    if (!query.softly || apart.length >= request.most) return apart;
    query.beside = true;
    return [...apart, ...rank(query, request.most - apart.length, chance)];
  },
});
