import type { Labels, Vector } from '../schemas/common.ts';
import type { ResourceStatus } from '../schemas/resource.ts';
import type { DeviceBank } from './devices.ts';
import type { GroupRef } from './groups.ts';

/** What may be used of a resource that came back lately, see health/returning.ts: shares of its bounds. */
export interface Eased {
  /** 0: placement brings nothing. */
  readonly share: number;
  readonly limit: Vector;
  readonly fill: Vector;
}

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
  /** A response to an incident holds its labscape: placement brings nothing. */
  readonly quarantined?: true | undefined;
  /** It came back lately and takes less than it could. */
  readonly eased?: Eased | undefined;
}

/** Placement fills to `fill` and gives birth to few groups; failover may use the reserve and bring groups. */
export type Purpose = 'placement' | 'failover';

/**
 * What use may come to. Of a resource that came back lately placement takes a share; a failover, which asks here only for
 * what its plan found no room for elsewhere, takes all of it: better there than nowhere.
 */
export const boundFor = (candidate: Pick<Candidate, 'limit' | 'fill' | 'eased'>, purpose: Purpose): Vector =>
  purpose === 'failover' ? candidate.limit : (candidate.eased ?? candidate).fill;

/** Whether a spread key is present on a resource, by whatever rule. */
export const holdsSpread = (spread: readonly string[] | undefined, key: string): boolean =>
  spread?.some((entry) => entry === key || entry.startsWith(`${key}.`)) ?? false;
