import type { Purpose } from '../candidate.ts';
import type { FleetIndex } from '../fleet-index.ts';
import { BestFew } from '../index/best-few.ts';
import { WEIGHT_DEFAULT } from '../index/cells.ts';
import { Changes } from '../index/changes.ts';
import { HASH_SPACE, HashRing, hashOf, pointsOf } from '../index/hash-ring.ts';
import { LoadLadder } from '../index/load-ladder.ts';
import type { Query } from '../index/query.ts';
import { type Bounds, STRIDE } from '../index/rows.ts';
import type { Choice } from '../request.ts';
import { type StrategyMaker, strategyOf } from '../strategy.ts';

/** How far a resource may be over the mean before its keys go on to the next: Mirrokni et al. show moves stay O(1/ε²). */
export const LOAD_EPSILON = 0.25;
/** Points on the ring of a resource of the default weight; others in proportion, one at least. */
const POINTS_PER_RESOURCE = 16;
/** Points that one decision walks; beyond, the least loaded takes the demand. */
const WALK_MAX = 16_384;
/** Where the constraints admit so few resources, their points are compared when a short walk has not found enough. */
const COMPARED_MAX = 2_048;
const WALK_SHORT = 256;
/** Shares are summed as whole numbers of this, so that sums are exact in whatever order. */
const SHARE_UNIT = 2 ** 20;
/** Salt of keys, apart from those of a resource's points. */
export const KEY_SALT = 0x5bd1e995;

interface Standing {
  readonly id: string;
  readonly points: Uint32Array;
  readonly cell: number;
  readonly share: number;
}

const NOWHERE: Pick<Standing, 'id' | 'points'> = { id: '', points: new Uint32Array(0) };

/** The ring of an index's resources, and their loads by cell, under one bound. */
class LoadedRing {
  readonly #index: FleetIndex;
  readonly #bounds: Bounds;
  readonly #changes: Changes;
  readonly #ladder: LoadLadder;
  readonly #ring = new HashRing();
  readonly #standing: (Standing | undefined)[] = [];
  readonly #loads: number[] = [];

  constructor(index: FleetIndex, purpose: Purpose) {
    this.#index = index;
    this.#bounds = index.rows.under(purpose);
    this.#changes = new Changes(index);
    this.#ladder = new LoadLadder(index, purpose);
  }

  rank(query: Query, most: number): readonly Choice[] {
    this.#changes.drain((row, healthy) => this.#note(row, healthy));
    const { hashKey = query.request.kind ?? '' } = query.request;
    const hash = hashOf(hashKey, KEY_SALT);
    const loadMax = this.#loadMax(query);
    const few = query.population() <= COMPARED_MAX;
    const walkMax = few ? WALK_SHORT : WALK_MAX;
    const within = new Set<number>();
    const over = new Set<number>();
    const put = (row: number): void => {
      ((this.#standing[row]?.share ?? 0) <= loadMax ? within : over).add(row);
    };
    let walked = 0;
    this.#ring.walk(hash, (row) => {
      walked += 1;
      if (!within.has(row) && !over.has(row) && query.accepts(row)) put(row);
      return within.size >= most || walked >= walkMax;
    });
    if (few && within.size < most) {
      within.clear();
      over.clear();
      for (const row of this.#clockwise(query, hash)) put(row);
    }
    const rows = [...within, ...over].slice(0, most);
    const known = rows.map((row) => ({
      candidate: this.#index.rows.at(row),
      why: (this.#standing[row]?.share ?? 0) / SHARE_UNIT,
    }));
    return few || known.length >= most || walked < WALK_MAX ? known : this.#fillUp(query, most, known);
  }

  /** All that can take the demand in the order in which a walk of the whole ring would meet them. */
  #clockwise(query: Query, hash: number): readonly number[] {
    const met: { row: number; id: string; distance: number }[] = [];
    for (const { members } of query.cells())
      for (const row of members) {
        if (!query.accepts(row)) continue;
        const { id, points } = this.#standing[row] ?? NOWHERE;
        let distance = HASH_SPACE;
        for (const point of points) distance = Math.min(distance, (point - hash) >>> 0);
        met.push({ row, id, distance });
      }
    met.sort((a, b) => a.distance - b.distance || (a.id < b.id ? -1 : 1));
    return met.map(({ row }) => row);
  }

  #fillUp(query: Query, most: number, known: readonly Choice[]): readonly Choice[] {
    const best = new BestFew(this.#index.rows, most);
    this.#ladder.search(query, best);
    const ids = new Set(known.map(({ candidate }) => candidate.id));
    return [...known, ...best.choices().filter(({ candidate }) => !ids.has(candidate.id))].slice(0, most);
  }

  /** (1 + ε) times the mean load of the healthy resources that the constraints admit. */
  #loadMax(query: Query): number {
    let load = 0;
    for (const { id } of query.cells()) load += this.#loads[id] ?? 0;
    return ((1 + LOAD_EPSILON) * load) / Math.max(1, query.population());
  }

  #note(row: number, healthy: boolean): void {
    const { rows, cells } = this.#index;
    const before = this.#standing[row];
    if (before !== undefined) this.#loads[before.cell] = (this.#loads[before.cell] ?? 0) - before.share;
    const id = healthy ? rows.at(row).id : undefined;
    const cell = rows.cell[row] ?? -1;
    const weight = cells.get(cell)?.weight ?? WEIGHT_DEFAULT;
    const count = Math.max(1, Math.round((POINTS_PER_RESOURCE * weight) / WEIGHT_DEFAULT));
    const same = before !== undefined && before.id === id && before.points.length === count;
    if (before !== undefined && !same) this.#ring.remove(before.id, before.points);
    if (id === undefined) {
      this.#standing[row] = undefined;
      return;
    }
    const points = same ? before.points : pointsOf(id, count);
    if (!same) this.#ring.add(row, id, points);
    const share = Math.round(this.#shareOf(row) * SHARE_UNIT);
    this.#standing[row] = { id, points, cell, share };
    this.#loads[cell] = (this.#loads[cell] ?? 0) + share;
  }

  /** Dominant share in use, 1 at most: what is past its bound takes nothing anyway. */
  #shareOf(row: number): number {
    const { bound, room } = this.#bounds;
    let share = 0;
    for (let d = 0, at = row * STRIDE; d < STRIDE; d++, at++) {
      const whole = bound[at] ?? 0;
      if (whole > 0) share = Math.max(share, 1 - (room[at] ?? 0) / whole);
    }
    return Math.min(1, share);
  }
}

/**
 * Consistent hashing with bounded loads (Mirrokni, Thorup, Zadimoghaddam, SODA 2018): from the hash of `hashKey` (else of
 * `kind`) clockwise, the first resource that can take the demand and is at no more than 1 + ε times the mean dominant
 * share of the resources that the constraints admit; then those further on. Where all that can take it are over, the
 * first of them. Since one is always at or under the mean, no resource passes (1 + ε) × mean by more than one demand.
 * `why`: the share before the placement. Ties: none, points with one hash stand by id; where more than COMPARED_MAX
 * are admitted, beyond WALK_MAX points the least loaded, the smaller id at a tie. State: the ring, which follows from the fleet. A resource's points are in proportion to
 * its weight.
 */
export const consistentHashing: StrategyMaker = (index) => {
  const rings = new Map<Purpose, LoadedRing>();
  return strategyOf(index, 'consistent-hashing', (query, most) => {
    const { purpose } = query.request;
    const ring = rings.get(purpose) ?? new LoadedRing(index, purpose);
    rings.set(purpose, ring);
    return ring.rank(query, most);
  });
};
