import type { Origin } from '../../audit/event.ts';
import type { FoldedState } from '../../audit/fold-state.ts';
import type { AuditEvent } from '../../schemas/audit.ts';
import type { Item } from '../../store/table/attributes.ts';

export interface State {
  readonly items: readonly Item[];
  readonly events: readonly AuditEvent[];
}
export interface RestoreScope {
  readonly labscape?: string | undefined;
  readonly resource?: string | undefined;
}
export interface RestoreInput {
  readonly id: string;
  readonly backup: State;
  /** What is there now; empty in an empty place. Read while it goes on working, perhaps. */
  readonly live: State;
  /** Events of `live` up to then are known to be all there, epoch ms. */
  readonly point: number;
  readonly scope: RestoreScope;
  readonly origin: Origin;
}

/** An item to write, over what was seen of it. */
export interface RestoredItem {
  readonly item: Item;
  readonly seen: Item | undefined;
}
/** What is written together: a resource, its groups, a recovery of it that is called off, and the events. */
export interface RestoredUnit {
  readonly what: string;
  readonly items: readonly RestoredItem[];
  readonly events: readonly AuditEvent[];
}
export interface RestorePlan {
  /** Missing from the audit, in the order of their chains. */
  readonly events: readonly AuditEvent[];
  /** Written one by one, before the units. */
  readonly items: readonly RestoredItem[];
  readonly units: readonly RestoredUnit[];
  /** What is left as it is, and why, one sentence each. */
  readonly conflicts: readonly string[];
  /** Entities that live on past the backup, or were born after it: they stay as they are. */
  readonly newer: number;
}

/** What a plan is made from: the joined history up to the point, what it folds to, and what is seen of the table. */
export interface RestoreView {
  readonly events: readonly AuditEvent[];
  readonly folded: FoldedState;
  readonly busy: ReadonlySet<string>;
  /** The longest lease that any labscape's policy gives, ms. */
  readonly leaseMs: number;
  /** By keyOf. */
  readonly seen: ReadonlyMap<string, Item>;
  /** Resources and groups as they shall be, by sort key. */
  readonly targets: ReadonlyMap<string, Item>;
}
