import type { MixKind } from './demand-mix.ts';

/** Steepness of the scarcity price: a dimension asked for half as much as the scarcest counts a sixteenth. */
const scarcity = (relativeLoad: number): number => relativeLoad ** 4;

/** Capacity of the whole fleet: one total per dimension and the sub-slots of all devices. */
export interface Totals {
  readonly amounts: ArrayLike<number>;
  readonly slots: number;
}

/** Growth or loss of the fleet, in any dimension, from which on scarcity is priced anew. */
const TOTALS_DRIFT_MAX = 0.1;

/** By more than a tenth in any dimension, or in devices. */
export const totalsDrifted = (now: Totals, then: Totals): boolean => {
  const off = (is: number, was: number): boolean => Math.abs(is - was) > TOTALS_DRIFT_MAX * was;
  if (off(now.slots, then.slots)) return true;
  for (let d = 0; d < now.amounts.length; d++)
    if (off(now.amounts[d] ?? 0, then.amounts[d] ?? 0)) return true;
  return false;
};

export interface Prices {
  readonly amounts: Float64Array;
  readonly slot: number;
}

/** Load relative to the fleet, steepened, per unit: what nobody asks for is free, what binds costs most. */
export const pricesOf = (kinds: readonly MixKind[], totals: Totals): Prices => {
  const share = (asked: number, total: number): number => (total > 0 ? asked / total : 0);
  const loads = Array.from(totals.amounts, (total, d) =>
    share(
      kinds.reduce((sum, kind) => sum + kind.share * (kind.demand.amounts[d] ?? 0), 0),
      total,
    ),
  );
  const slotsAsked = kinds.reduce((sum, { share: part, demand: { devices } }) => {
    return sum + (devices === undefined ? 0 : part * devices.count * devices.slots);
  }, 0);
  const slotLoad = share(slotsAsked, totals.slots);
  const most = Math.max(slotLoad, ...loads);
  const price = (load: number, total: number): number =>
    most > 0 && total > 0 ? scarcity(load / most) / total : 0;
  return {
    amounts: Float64Array.from(loads, (load, d) => price(load, totals.amounts[d] ?? 0)),
    slot: price(slotLoad, totals.slots),
  };
};
