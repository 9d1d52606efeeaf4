import { DEVICE_MILLI } from '../../schemas/devices.ts';
import type { Purpose } from '../candidate.ts';
import type { DeviceBank } from '../devices.ts';
import type { FleetIndex } from '../fleet-index.ts';
import type { States } from '../packing/class-scorer.ts';
import { Changes } from './changes.ts';
import { type Bounds, STRIDE } from './rows.ts';

/** Different gaps of devices remembered; beyond, all are taken anew. */
const BANKS_HELD_MAX = 2 ** 14;
/** Places for states that were met lately; a power of two. */
const PLACES = 2 ** 14;

interface Bank {
  readonly id: number;
  readonly model: string;
  /** Free sub-slots of each device, ascending. */
  readonly gaps: readonly number[];
}

const NO_BANK: Bank = { id: 0, model: '', gaps: [] };

/**
 * What a packing score may depend on, row by row: what is free under one bound, the model and the gaps of the devices.
 * Rows that are equal in these have the same stamp, as long as their state is remembered, so that a score of one serves
 * all. A change costs nothing until the row is looked at.
 */
export class RowStates implements States {
  readonly dimensions = STRIDE;
  readonly #index: FleetIndex;
  readonly #bounds: Bounds;
  readonly #changes: Changes;
  /** 0: not known since the last change. */
  #stamps = new Int32Array(64);
  #births = 0;
  readonly #placed = new Int32Array(PLACES);
  readonly #placedFree = new Float64Array(PLACES * STRIDE);
  readonly #placedBank = new Int32Array(PLACES);
  readonly #banks = new Map<string, Bank>();
  #banksBorn = 0;
  #bankOf = new WeakMap<DeviceBank, Bank>();

  constructor(index: FleetIndex, purpose: Purpose) {
    this.#index = index;
    this.#bounds = index.rows.under(purpose);
    this.#changes = new Changes(index);
  }

  get free(): Float64Array {
    return this.#bounds.room;
  }

  gaps(row: number): readonly number[] {
    return this.#bank(row).gaps;
  }

  model(row: number): string {
    return this.#bank(row).model;
  }

  /** Takes in what has changed since; once before each decision. */
  sync(): void {
    const { end } = this.#index.rows;
    if (end > this.#stamps.length) {
      const grown = new Int32Array(2 * end);
      grown.set(this.#stamps);
      this.#stamps = grown;
    }
    this.#changes.drain((row) => {
      this.#stamps[row] = 0;
    });
  }

  /** Of the state that the row is in; never 0. */
  stamp(row: number): number {
    const known = this.#stamps[row] ?? 0;
    if (known !== 0) return known;
    const bank = this.#bank(row).id;
    const place = this.#placeOf(row, bank);
    if (!this.#holds(place, row, bank)) this.#put(place, row, bank);
    const stamp = this.#placed[place] ?? 0;
    this.#stamps[row] = stamp;
    return stamp;
  }

  #placeOf(row: number, bank: number): number {
    const { room } = this.#bounds;
    let hash = bank;
    for (let d = 0, at = row * STRIDE; d < STRIDE; d++, at++)
      hash = Math.imul(hash ^ (hash >>> 15) ^ (room[at] ?? 0), 0x2c1b3c6d);
    return (hash ^ (hash >>> 13)) & (PLACES - 1);
  }

  #holds(place: number, row: number, bank: number): boolean {
    if (this.#placed[place] === 0 || this.#placedBank[place] !== bank) return false;
    const { room } = this.#bounds;
    for (let d = 0; d < STRIDE; d++)
      if (this.#placedFree[place * STRIDE + d] !== room[row * STRIDE + d]) return false;
    return true;
  }

  #put(place: number, row: number, bank: number): void {
    this.#births += 1;
    this.#placed[place] = this.#births;
    this.#placedBank[place] = bank;
    for (let d = 0; d < STRIDE; d++)
      this.#placedFree[place * STRIDE + d] = this.#bounds.room[row * STRIDE + d] ?? 0;
  }

  #bank(row: number): Bank {
    const { devices } = this.#index.rows.at(row);
    if (devices === undefined) return NO_BANK;
    const known = this.#bankOf.get(devices) ?? this.#intern(devices);
    this.#bankOf.set(devices, known);
    return known;
  }

  #intern({ model, used }: DeviceBank): Bank {
    const gaps = used.map((taken) => DEVICE_MILLI - taken).sort((a, b) => a - b);
    const key = `${model}/${gaps.join()}`;
    const known = this.#banks.get(key);
    if (known !== undefined) return known;
    if (this.#banks.size >= BANKS_HELD_MAX) {
      this.#banks.clear();
      this.#bankOf = new WeakMap();
    }
    this.#banksBorn += 1;
    const bank: Bank = { id: this.#banksBorn, model, gaps };
    this.#banks.set(key, bank);
    return bank;
  }
}
