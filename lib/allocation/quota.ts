import type { Vector } from '../schemas/common.ts';
import { add, mapVector, subtract, sum, within } from '../vector.ts';

export interface Slice {
  readonly index: number;
  readonly cap: Vector;
  readonly used: Vector;
}

/** Cuts a quota into `count` slices whose caps add up to it exactly: the first ones take the remainders. */
export const cutQuota = (quota: Vector, count: number): readonly Vector[] =>
  Array.from({ length: count }, (_, index) =>
    mapVector((d) => Math.floor(quota[d] / count) + (index < quota[d] % count ? 1 : 0)),
  );

export type Fit =
  | { readonly kind: 'fits'; readonly index: number }
  /** Room enough, but in pieces: lend caps from others to `index`. */
  | { readonly kind: 'gather'; readonly index: number; readonly lend: ReadonlyMap<number, Vector> }
  | { readonly kind: 'exceeded'; readonly left: Vector };

/** Where a demand fits in a tenant's slices, trying `first` first. */
export const fitQuota = (slices: readonly Slice[], demand: Vector, first: number): Fit => {
  const ordered = [...slices.slice(first), ...slices.slice(0, first)];
  const fitting = ordered.find((slice) => within(add(slice.used, demand), slice.cap));
  if (fitting !== undefined) return { kind: 'fits', index: fitting.index };
  const left = sum(slices.map((slice) => subtract(slice.cap, slice.used)));
  const [target] = ordered;
  if (target === undefined || !within(demand, left)) return { kind: 'exceeded', left };
  const lend = new Map<number, Vector>();
  let lacking = subtract(add(target.used, demand), target.cap);
  for (const slice of ordered.slice(1)) {
    const spare = subtract(slice.cap, slice.used);
    const from = lacking;
    const part = mapVector((d) => Math.max(0, Math.min(from[d], spare[d])));
    lend.set(slice.index, part);
    lacking = subtract(lacking, part);
  }
  return { kind: 'gather', index: target.index, lend };
};

/** New caps after a change of quota: every slice keeps what it uses, the rest is dealt out evenly. Undefined when more is used. */
export const recutQuota = (slices: readonly Slice[], quota: Vector): readonly Vector[] | undefined => {
  const used = sum(slices.map((slice) => slice.used));
  if (!within(used, quota)) return undefined;
  const shares = cutQuota(subtract(quota, used), slices.length);
  return slices.map((slice, index) => add(slice.used, shares[index] ?? mapVector(() => 0)));
};
