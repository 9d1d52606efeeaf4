import type { Cell } from '../index/cells.ts';
import type { Query } from '../index/query.ts';
import type { Choice } from '../request.ts';
import { type StrategyMaker, strategyOf } from '../strategy.ts';

/** What a cell has saved up, and the place in it that was served last. */
interface Turn {
  readonly birth: number;
  saved: number;
  last: number;
}

/**
 * Smooth weighted round robin (nginx, ngx_http_upstream_round_robin): every round each cell (resources of one labscape,
 * labels, residency and weight) saves its weight times its healthy members, the one with most is served and pays the
 * round's sum; within a cell its members take turns. Over a round each resource is served in proportion to its weight.
 * A cell where nothing has room saves nothing that round, as nginx does with a peer that is down. `why`: what the cell had
 * saved. Ties: the cell that came first. Runners-up: further members of the cell served, then the cells that
 * saved next most. State: savings and places. O(cells + rows passed over).
 */
export const weightedRoundRobin: StrategyMaker = (index) => {
  const turns = new Map<number, Turn>();
  const turnOf = ({ id, birth }: Cell): Turn => {
    const known = turns.get(id);
    if (known?.birth === birth) return known;
    const turn: Turn = { birth, saved: 0, last: -1 };
    turns.set(id, turn);
    return turn;
  };

  /** Members that can take the demand, from the one after the last, with the place of each. */
  const able = (query: Query, { members }: Cell, { last }: Turn, most: number): readonly number[] => {
    const places: number[] = [];
    for (let step = 1; step <= members.length && places.length < most; step++) {
      const place = (last + step) % members.length;
      if (query.accepts(members[place] ?? -1)) places.push(place);
    }
    return places;
  };

  return strategyOf(index, 'weighted-round-robin', (query, most) => {
    const peers = query
      .cells()
      .filter(({ members }) => members.length > 0)
      .map((cell) => ({ cell, turn: turnOf(cell), gain: cell.weight * cell.members.length }))
      .sort((a, b) => b.turn.saved + b.gain - a.turn.saved - a.gain || a.cell.birth - b.cell.birth);
    const choices: Choice[] = [];
    const idle = new Set<Turn>();
    let served: Turn | undefined;
    for (const { cell, turn, gain } of peers) {
      const places = able(query, cell, turn, most - choices.length);
      if (places.length === 0) idle.add(turn);
      else if (served === undefined) {
        served = turn;
        if (query.request.dry !== true) turn.last = places[0] ?? -1;
      }
      for (const place of places)
        choices.push({ candidate: index.rows.at(cell.members[place] ?? -1), why: turn.saved + gain });
      if (choices.length >= most) break;
    }
    if (served === undefined || query.beside || query.request.dry === true) return choices;
    let total = 0;
    for (const { turn, gain } of peers) {
      if (idle.has(turn)) continue;
      turn.saved += gain;
      total += gain;
    }
    served.saved -= total;
    return choices;
  });
};
