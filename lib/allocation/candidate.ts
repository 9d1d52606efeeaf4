import type { Labels, Vector } from '../schemas/common.ts';
import type { ResourceStatus } from '../schemas/resource.ts';
import type { DeviceBank } from './devices.ts';
import type { GroupRef } from './groups.ts';

/** A resource as placement sees it: a snapshot, maybe a second old; the commit's conditions decide. */
export interface Candidate {
  readonly id: string;
  readonly labscape: string;
  readonly status: ResourceStatus;
  readonly labels: Labels;
  readonly capacity: Vector;
  readonly limit: Vector;
  readonly fill: Vector;
  readonly used: Vector;
  readonly cfg: number;
  readonly epoch: number;
  readonly groups: readonly GroupRef[];
  readonly devices?: DeviceBank | undefined;
  /** Spread keys that are present: `key` of the one group with a hard rule, `key.group` of each with a soft one. */
  readonly spread?: readonly string[] | undefined;
  /** The starving group that it is held for: nothing else is placed here. */
  readonly reserved?: string | undefined;
  /** Where its labscape keeps data; undefined when it says nothing. */
  readonly residency?: string | undefined;
  /** Of its labscape, times what was learned of its speed; 100 unless said otherwise. */
  readonly weight?: number | undefined;
}

/** Placement fills to `fill` and gives birth to few groups; failover may use the reserve and bring groups. */
export type Purpose = 'placement' | 'failover';

export const boundFor = (candidate: Pick<Candidate, 'limit' | 'fill'>, purpose: Purpose): Vector =>
  purpose === 'failover' ? candidate.limit : candidate.fill;

/** Whether a spread key is present on a resource, by whatever rule. */
export const holdsSpread = (spread: readonly string[] | undefined, key: string): boolean =>
  spread?.some((entry) => entry === key || entry.startsWith(`${key}.`)) ?? false;
