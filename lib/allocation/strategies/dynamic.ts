import type { StrategyName } from '../../schemas/strategy.ts';
import { Rehearsal } from '../rehearsal.ts';
import type { Strategy, StrategyMaker } from '../strategy.ts';
import { bestFit } from './best-fit.ts';
import { fragmentationAware } from './fragmentation-aware.ts';
import { leastLoaded } from './least-loaded.ts';

/** What it decides with before it has seen enough. */
export const DYNAMIC_DEFAULT: StrategyName = 'least-loaded';
/** Those that differ in what they leave for later; the others choose by turns, by keys or by chance. */
const PLAYERS = new Map<StrategyName, StrategyMaker>([
  ['least-loaded', leastLoaded],
  ['best-fit', bestFit],
  ['fragmentation-aware', fragmentationAware],
]);
/** Weight of what was known in a new score: half is forgotten with each rehearsal, so a changed mix is seen in two. */
const KEPT_SHARE = 0.5;
/** A leader is left only for a score better by this: scores of one rehearsal are a few dozen demands' worth. */
const LEAD_MIN = 0.002;

/**
 * Dynamic: lets its players rehearse the demands it is asked for (rehearsal.ts) and decides with the one that has placed
 * the greatest share lately; least loaded until the first rehearsal is over. Ties and its tie rules: the leader stays; `why`
 * is the leader's. State: the rehearsal under way, the scores and the players' own. Learns from nothing but the requests
 * it was given, those it refused included.
 */
export const dynamic: StrategyMaker = (index) => {
  const players = new Map<StrategyName, Strategy>();
  const scores = new Map<StrategyName, number>();
  let leader: StrategyName = DYNAMIC_DEFAULT;
  let rehearsal: Rehearsal | undefined;

  const playerOf = (name: StrategyName): Strategy => {
    const player = players.get(name) ?? (PLAYERS.get(name) ?? leastLoaded)(index);
    players.set(name, player);
    return player;
  };

  const learn = (results: ReadonlyMap<StrategyName, number>): void => {
    for (const [name, score] of results) {
      const before = scores.get(name);
      scores.set(name, before === undefined ? score : KEPT_SHARE * before + (1 - KEPT_SHARE) * score);
    }
    for (const [name, score] of scores) if (score > (scores.get(leader) ?? 0) + LEAD_MIN) leader = name;
  };

  return {
    name: 'dynamic',
    choose: (request, chance) => {
      if (request.purpose === 'placement') {
        rehearsal ??= new Rehearsal(index, PLAYERS);
        rehearsal.play(request, chance);
        if (rehearsal.over) {
          learn(rehearsal.scores());
          rehearsal = undefined;
        }
      }
      return playerOf(leader).choose(request, chance);
    },
  };
};
