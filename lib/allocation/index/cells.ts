import type { Labels } from '../../schemas/common.ts';
import type { Candidate } from '../candidate.ts';

/** Weight of a resource that says nothing. */
export const WEIGHT_DEFAULT = 100;

/** What constraints look at and use does not change; equal for all members, so a constraint admits a cell as a whole. */
export interface Cell {
  readonly id: number;
  readonly key: string;
  /** Another one for each cell that has had this id. */
  readonly birth: number;
  readonly labscape: string;
  readonly labels: Labels;
  readonly residency: string | undefined;
  readonly weight: number;
  /** Rows that are healthy, in no order. */
  readonly members: number[];
  /** Rows that belong here, healthy or not. */
  size: number;
}

/** The list of births is written anew when it is so many times longer than that of the cells. */
const BIRTHS_KEPT_FACTOR = 4;
const BIRTHS_KEPT_MIN = 256;

/** Text that is the same for equal signatures; the parts cannot hold a line feed. */
const keyOf = ({ labscape, labels, residency, weight }: Candidate): string => {
  const pairs = Object.keys(labels)
    .sort()
    .map((key) => `${key}=${labels[key]}`);
  return [labscape, residency ?? ' ', weight ?? WEIGHT_DEFAULT, ...pairs].join('\n');
};

const sameLabels = (a: Labels, b: Labels): boolean => {
  if (a === b) return true;
  let left = 0;
  for (const key in a) {
    if (a[key] !== b[key]) return false;
    left += 1;
  }
  for (const _ in b) left -= 1;
  return left === 0;
};

const isOf = (cell: Cell, { labscape, labels, residency, weight }: Candidate): boolean =>
  cell.labscape === labscape &&
  cell.residency === residency &&
  cell.weight === (weight ?? WEIGHT_DEFAULT) &&
  sameLabels(cell.labels, labels);

/** Interns the constraint signatures of the fleet and keeps the rows of each. */
export class Cells {
  readonly #byKey = new Map<string, Cell>();
  readonly #cells: (Cell | undefined)[] = [];
  readonly #unused: number[] = [];
  #born: number[] = [];
  #generation = 0;
  #births = 0;
  #deaths = 0;
  /** Place of each healthy row among its cell's members; −1 for the others. */
  readonly #places: number[] = [];

  /** Ids in the order of their births: who remembers something of all cells reads on from where it stood. */
  get born(): readonly number[] {
    return this.#born;
  }

  /** Changes when `born` was written anew, to be read from its beginning. */
  get generation(): number {
    return this.#generation;
  }

  get end(): number {
    return this.#cells.length;
  }

  /** Changes when a cell is born or goes. */
  get version(): number {
    return this.#births + this.#deaths;
  }

  get(id: number): Cell | undefined {
    return this.#cells[id];
  }

  /** The cell that a candidate belongs to; `before` is looked at first. Counts it in. */
  join(row: number, candidate: Candidate, before: number): number {
    const known = this.#cells[before];
    const cell = known !== undefined && isOf(known, candidate) ? known : this.#intern(candidate);
    if (cell.id !== before) {
      if (known !== undefined) this.leave(row, before);
      cell.size += 1;
    }
    const place = this.#places[row] ?? -1;
    if (candidate.status === 'healthy') {
      if (place < 0) this.#places[row] = cell.members.push(row) - 1;
    } else if (place >= 0) this.#drop(cell, row);
    return cell.id;
  }

  leave(row: number, id: number): void {
    const cell = this.#cells[id];
    if (cell === undefined) return;
    this.#drop(cell, row);
    cell.size -= 1;
    if (cell.size > 0) return;
    this.#byKey.delete(cell.key);
    this.#cells[id] = undefined;
    this.#unused.push(id);
    this.#deaths += 1;
  }

  #drop(cell: Cell, row: number): void {
    const place = this.#places[row] ?? -1;
    if (place < 0) return;
    const last = cell.members.pop();
    if (last !== undefined && last !== row) {
      cell.members[place] = last;
      this.#places[last] = place;
    }
    this.#places[row] = -1;
  }

  #intern(candidate: Candidate): Cell {
    const key = keyOf(candidate);
    const known = this.#byKey.get(key);
    if (known !== undefined) return known;
    const id = this.#unused.pop() ?? this.#cells.length;
    this.#births += 1;
    const { labscape, labels, residency, weight = WEIGHT_DEFAULT } = candidate;
    const cell: Cell = {
      ...{ id, key, birth: this.#births, labscape, labels, residency, weight },
      ...{ members: [], size: 0 },
    };
    this.#cells[id] = cell;
    this.#byKey.set(key, cell);
    this.#born.push(id);
    if (this.#born.length > BIRTHS_KEPT_FACTOR * this.end + BIRTHS_KEPT_MIN) {
      this.#born = [...this.#byKey.values()].map((live) => live.id);
      this.#generation += 1;
    }
    return cell;
  }
}
