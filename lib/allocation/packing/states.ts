/** How a state stands to what is known of it: looked at as it is; before the mix changed; not since it changed itself. */
export const FRESH = 0;
export const OLD = 1;
export const CHANGED = 2;

/** Devices of one model by their free sub-slots, ascending. */
export interface Gaps {
  readonly model: string;
  readonly gaps: readonly number[];
}

/** States that can be scored, by slot: what is free at `slot * STRIDE` and after, and the devices. */
export interface States {
  readonly free: Float64Array;
  /** By slot: CHANGED by whoever keeps the states, the rest by the scorer. */
  readonly ages: Uint8Array;
  /** Slots in use are below this. */
  readonly end: number;
  bank(slot: number): Gaps;
}
