import type { Vector } from '../schemas/common.ts';
import type { FillPolicy, LimitShares } from '../schemas/labscape.ts';
import { mapVector } from '../vector.ts';

/** Shares are applied in ten-thousandths so that 0.29 of 100 is 29, not what binary fractions make of it. */
const SHARE_UNIT = 10_000;

/** The specification's "system 90 %": what normal placement leaves is the failover reserve. */
export const SYSTEM_FILL = 0.9;

const floorShare = (quantity: number, share: number): number =>
  Math.floor((quantity * Math.round(share * SHARE_UNIT)) / SHARE_UNIT);

/** A share of a bound, floored. */
export const shareOfBound = (bound: Vector, share: number): Vector =>
  mapVector((d) => floorShare(bound[d], share));

/** What nothing may pass, ever: floor(capacity × share) per dimension. */
export const limitOf = (capacity: Vector, shares: LimitShares): Vector =>
  mapVector((d) => floorShare(capacity[d], shares[d]));

/** What normal placement may use where that follows from the resource alone; for `n+1` see reserve.ts. */
export const fillOf = (limit: Vector, policy: Exclude<FillPolicy, 'n+1'>): Vector =>
  policy === 'none' ? limit : shareOfBound(limit, SYSTEM_FILL);
