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
/** So many requests are all rehearsed, so that the leader is soon one that was chosen. */
const REHEARSED_FIRST = 512;
/** Then, of so many requests one is rehearsed: what a decision costs beyond the leader's own is divided by it. */
const REHEARSED_EVERY = 4;
/** A leader is left only for a score better by this: less is the chance of a few demands. */
const LEAD_MIN = 0.01;

/**
 * Dynamic: lets its players rehearse the demands it is asked for (rehearsal.ts) and decides with the one that has placed
 * the greatest share there lately; least loaded at first. Ties: the leader stays, then the order of the players; the
 * other tie rules and `why` are the leader's. State: the rehearsal, whose model is taken from the fleet anew when that has
 * doubled or halved, and the players' own. Learns from nothing but the requests it was given, those refused included: of the
 * first REHEARSED_FIRST, then of one in REHEARSED_EVERY.
 */
export const dynamic: StrategyMaker = (index) => {
  const players = new Map<StrategyName, Strategy>();
  let leader: StrategyName = DYNAMIC_DEFAULT;
  let rehearsal: Rehearsal | undefined;
  let rehearsed = 0;
  let asked = 0;

  const playerOf = (name: StrategyName): Strategy => {
    const player = players.get(name) ?? (PLAYERS.get(name) ?? leastLoaded)(index);
    players.set(name, player);
    return player;
  };

  const rehearsalNow = (): Rehearsal => {
    const { size } = index;
    if (rehearsal !== undefined && size <= 2 * rehearsed && rehearsed <= 2 * size) return rehearsal;
    rehearsed = size;
    rehearsal = new Rehearsal(index, PLAYERS);
    return rehearsal;
  };

  const learn = (scores: ReadonlyMap<StrategyName, number>): void => {
    for (const [name, score] of scores) if (score > (scores.get(leader) ?? 0) + LEAD_MIN) leader = name;
  };

  return {
    name: 'dynamic',
    choose: (request, chance) => {
      const counts = request.purpose === 'placement' && request.dry !== true;
      if (counts) asked += 1;
      if (counts && (asked <= REHEARSED_FIRST || asked % REHEARSED_EVERY === 0)) {
        const stage = rehearsalNow();
        stage.play(request, chance);
        learn(stage.scores());
      }
      return playerOf(leader).choose(request, chance);
    },
  };
};
