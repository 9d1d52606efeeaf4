import type { Constraints } from '../schemas/allocation.ts';
import type { Class, Vector } from '../schemas/common.ts';
import type { ResourceStatus } from '../schemas/resource.ts';
import type { SpreadMark } from '../spread.ts';

/** Who owned a group from an epoch on, by one event; without an owner it waited. */
export interface Claim {
  readonly group: string;
  readonly epoch: number;
  readonly owner: string | undefined;
  /** The owner before, as the event has it; undefined where it names none. */
  readonly from: string | undefined;
  /** The owner's devices that it got. */
  readonly devices?: readonly number[] | undefined;
  /** By a restore: its epoch may be any above the last. */
  readonly restored?: true | undefined;
  /** `entity/rev` of the event. */
  readonly by: string;
}

export interface FoldedAllocation {
  readonly tenant: string;
  readonly id: string;
  readonly status: 'active' | 'released' | 'expired';
  readonly class: Class;
  readonly demand: Vector;
  /** Thousandths of each of its devices; 0 without. */
  readonly milli: number;
  /** With its tenant's name in the key. */
  readonly constraints: Pick<Constraints, 'spread'>;
  readonly group: string;
  readonly leaseUntil: number | undefined;
  /** False: versions before 2026-11-22 did not tell the lease of what began by waiting. */
  readonly leaseTold: boolean;
}

/** The lease that an allocation should have; where no event tells it, the one that it has. */
export const leaseByEvents = (
  { leaseTold, leaseUntil }: FoldedAllocation,
  has: number | undefined,
): number | undefined => (leaseTold ? leaseUntil : has);

export interface FoldedGroup {
  readonly id: string;
  readonly status: 'placed' | 'pending' | 'closed';
  readonly epoch: number;
  /** Every epoch an event gave it, in order; 1…n, each once, in a whole history; a restore leaves some out. */
  readonly epochs: readonly number[];
  readonly resource: string | undefined;
  readonly count: number;
  readonly demand: Vector;
  readonly deviceMap: readonly number[] | undefined;
  /** Thousandths of each of its devices that its members take together. */
  readonly milli: number;
  readonly mark: SpreadMark | undefined;
}

export interface FoldedResource {
  readonly id: string;
  readonly labscape: string;
  readonly status: ResourceStatus;
  readonly epoch: number;
  readonly capacity: Vector;
  readonly used: Vector;
  readonly groups: readonly string[];
  readonly devices: { readonly model: string; readonly used: readonly number[] } | undefined;
  readonly spread: readonly string[];
}

export interface FoldedState {
  readonly resources: ReadonlyMap<string, FoldedResource>;
  readonly groups: ReadonlyMap<string, FoldedGroup>;
  /** By `tenant#id`. */
  readonly allocations: ReadonlyMap<string, FoldedAllocation>;
  /** One sentence per thing that does not fit together. */
  readonly faults: readonly string[];
}

/** What replaying single entities yields before it is added up. */
export interface Findings {
  readonly resources: Map<string, Omit<FoldedResource, 'used' | 'groups' | 'spread'>>;
  readonly allocations: Map<string, FoldedAllocation>;
  readonly claims: Claim[];
  /** Groups that the end of their last member closed, or its going to another group. */
  readonly closed: Set<string>;
  readonly faults: string[];
}
