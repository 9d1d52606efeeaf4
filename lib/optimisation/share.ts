import type { Vector } from '../schemas/common.ts';

const part = (used: number, bound: number): number =>
  bound === 0 ? (used === 0 ? 0 : Number.POSITIVE_INFINITY) : used / bound;

/** Dominant share, written out because a step asks for thousands. A bound of zero that is used counts as full. */
export const shareOf = (used: Vector, bound: Vector): number =>
  Math.max(
    part(used.processing, bound.processing),
    part(used.memory, bound.memory),
    part(used.storage, bound.storage),
    part(used.network, bound.network),
  );

/** Dominant share of `used` ± `demand`. */
export const shareAfter = (used: Vector, demand: Vector, sign: 1 | -1, bound: Vector): number =>
  Math.max(
    part(used.processing + sign * demand.processing, bound.processing),
    part(used.memory + sign * demand.memory, bound.memory),
    part(used.storage + sign * demand.storage, bound.storage),
    part(used.network + sign * demand.network, bound.network),
  );

/** Whether `demand` fits beside `used`: what a demand does not ask for cannot refuse it. */
export const fits = (used: Vector, demand: Vector, bound: Vector): boolean =>
  (demand.processing === 0 || used.processing + demand.processing <= bound.processing) &&
  (demand.memory === 0 || used.memory + demand.memory <= bound.memory) &&
  (demand.storage === 0 || used.storage + demand.storage <= bound.storage) &&
  (demand.network === 0 || used.network + demand.network <= bound.network);
