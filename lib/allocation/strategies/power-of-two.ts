import type { Cell } from '../index/cells.ts';
import type { Query } from '../index/query.ts';
import type { Uniform } from '../request.ts';
import { type StrategyMaker, strategyOf } from '../strategy.ts';

/** Draws before what is able is counted: those that hit what is full are cheap, but there must be an end. */
const DRAWS_MAX = 512;
const COMPARED = 2;

/** The row in this place of the cells' members, one cell after the other. */
const memberAt = (cells: readonly Cell[], place: number): number => {
  let left = place;
  for (const { members } of cells) {
    if (left < members.length) return members[left] ?? -1;
    left -= members.length;
  }
  return -1;
};

/** Different rows that can take the demand, each set of `most` equally likely; fewer when there are no more. */
const drawn = (query: Query, most: number, chance: Uniform): readonly number[] => {
  const rows: number[] = [];
  const cells = query.cells();
  const population = query.population();
  for (let draw = 0; draw < DRAWS_MAX && draw < population && rows.length < most; draw++) {
    const row = memberAt(cells, Math.floor(chance() * population));
    if (!rows.includes(row) && query.accepts(row)) rows.push(row);
  }
  if (rows.length >= most) return rows;
  const able: number[] = [];
  for (const { members } of cells)
    for (const row of members) if (!rows.includes(row) && query.accepts(row)) able.push(row);
  while (rows.length < most) {
    const at = Math.floor(chance() * able.length);
    const row = able[at];
    if (row === undefined) break;
    able[at] = able[able.length - 1] ?? row;
    able.pop();
    rows.push(row);
  }
  return rows;
};

/**
 * Power of two choices (Mitzenmacher, IEEE TPDS 12(10), 2001): of two resources drawn at random from those that can take
 * the demand, the one with the smaller dominant share after it. `why`: that share. Ties: the smaller id. Runners-up: the
 * other of the two, then further draws in their order. No state; all chance is passed in.
 */
export const powerOfTwo: StrategyMaker = (index) =>
  strategyOf(index, 'power-of-two', (query, most, chance) => {
    const rows = drawn(query, Math.max(COMPARED, most), chance);
    const choices = rows.map((row) => ({ candidate: index.rows.at(row), why: query.shareAfter(row) }));
    const pair = choices
      .slice(0, COMPARED)
      .sort((a, b) => a.why - b.why || (a.candidate.id < b.candidate.id ? -1 : 1));
    return [...pair, ...choices.slice(COMPARED)].slice(0, most);
  });
