import { DIMENSIONS, type Vector } from '../../schemas/common.ts';
import { ZERO } from '../../vector.ts';
import { boundFor, type Candidate, type Purpose } from '../candidate.ts';
import type { DeviceBank } from '../devices.ts';
import { Banks, NO_BANK } from './banks.ts';

/** Dimensions of a row: its numbers stand at `row * STRIDE` and after. */
export const STRIDE = DIMENSIONS.length;

const ROWS_FIRST = 64;

const grownFloats = (from: Float64Array, length: number): Float64Array<ArrayBuffer> => {
  const to = new Float64Array(length);
  to.set(from);
  return to;
};

const grownInts = (from: Int32Array, length: number): Int32Array<ArrayBuffer> => {
  const to = new Int32Array(length);
  to.set(from);
  return to;
};

/** What a bound allows and leaves, per row and dimension; `room` is below 0 where more is used than it allows. */
export interface Bounds {
  bound: Float64Array;
  room: Float64Array;
  /** 1 where something may come by this purpose: healthy, and by placement not held for another, in probation or quarantined. */
  open: Int32Array;
  /** Sum of all bounds, per dimension. */
  readonly total: Float64Array;
}

const noBounds = (): Bounds => ({
  bound: new Float64Array(0),
  room: new Float64Array(0),
  open: new Int32Array(0),
  total: new Float64Array(STRIDE),
});

/**
 * The numbers of every candidate in flat arrays, so that a look at a row costs no chase through objects. Rows of
 * candidates that are gone are not healthy and belong to no cell (−1).
 */
export class Rows {
  readonly placement = noBounds();
  readonly failover = noBounds();
  /** 1 where the resource is healthy, held for another or not. */
  healthy = new Int32Array(0);
  groups = new Int32Array(0);
  cell = new Int32Array(0);
  /** What devices a row has, as `banks` numbers them. */
  bank = new Int32Array(0);
  readonly banks = new Banks();
  readonly candidates: (Candidate | undefined)[] = [];

  constructor() {
    this.#grow(ROWS_FIRST);
  }

  /** Rows in use are below this; some below may be empty. */
  get end(): number {
    return this.candidates.length;
  }

  under(purpose: Purpose): Bounds {
    return purpose === 'failover' ? this.failover : this.placement;
  }

  write(row: number, candidate: Candidate, cell: number): void {
    if (row >= this.cell.length) this.#grow(2 * this.cell.length);
    this.#writeBounds(this.placement, row, boundFor(candidate, 'placement'), candidate.used);
    this.#writeBounds(this.failover, row, boundFor(candidate, 'failover'), candidate.used);
    const healthy = candidate.status === 'healthy' ? 1 : 0;
    this.healthy[row] = healthy;
    this.failover.open[row] = healthy;
    const { reserved, eased, quarantined } = candidate;
    const takesPlaced = reserved === undefined && eased?.share !== 0 && quarantined !== true;
    this.placement.open[row] = takesPlaced ? healthy : 0;
    this.groups[row] = candidate.groups.length;
    this.cell[row] = cell;
    if (this.candidates[row]?.devices !== candidate.devices) this.#setBank(row, candidate.devices);
    this.candidates[row] = candidate;
  }

  clear(row: number): void {
    this.#writeBounds(this.placement, row, ZERO, ZERO);
    this.#writeBounds(this.failover, row, ZERO, ZERO);
    this.healthy[row] = 0;
    this.failover.open[row] = 0;
    this.placement.open[row] = 0;
    this.cell[row] = -1;
    this.#setBank(row, undefined);
    this.candidates[row] = undefined;
  }

  /** The candidate of a row in use; throws for another. */
  at(row: number): Candidate {
    const candidate = this.candidates[row];
    if (candidate === undefined) throw new Error(`Row ${row} of the fleet index is empty`);
    return candidate;
  }

  #setBank(row: number, devices: DeviceBank | undefined): void {
    this.bank[row] = this.banks.swap(this.bank[row] ?? NO_BANK, devices);
  }

  /** By name and not in a loop: a look-up by a name that varies costs more than all the rest. */
  #writeBounds({ bound, room, total }: Bounds, row: number, whole: Vector, used: Vector): void {
    const at = row * STRIDE;
    for (let d = 0; d < STRIDE; d++) total[d] = (total[d] ?? 0) - (bound[at + d] ?? 0);
    bound[at] = whole.processing;
    bound[at + 1] = whole.memory;
    bound[at + 2] = whole.storage;
    bound[at + 3] = whole.network;
    room[at] = whole.processing - used.processing;
    room[at + 1] = whole.memory - used.memory;
    room[at + 2] = whole.storage - used.storage;
    room[at + 3] = whole.network - used.network;
    for (let d = 0; d < STRIDE; d++) total[d] = (total[d] ?? 0) + (bound[at + d] ?? 0);
  }

  #grow(rows: number): void {
    for (const bounds of [this.placement, this.failover]) {
      bounds.bound = grownFloats(bounds.bound, rows * STRIDE);
      bounds.room = grownFloats(bounds.room, rows * STRIDE);
      bounds.open = grownInts(bounds.open, rows);
    }
    this.healthy = grownInts(this.healthy, rows);
    this.groups = grownInts(this.groups, rows);
    this.cell = grownInts(this.cell, rows);
    this.bank = grownInts(this.bank, rows);
  }
}
