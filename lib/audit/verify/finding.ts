/** What was looked at: chains of events, the state beside them, seals, or the archive. */
export const CHECKS = ['chains', 'state', 'seals', 'archive'] as const;
export type Check = (typeof CHECKS)[number];

/** Something that is not as it was written, with the item by name. */
export interface Finding {
  readonly check: Check;
  /** An event `entity/rev`, an entity, an item of the state, or `seal N`. */
  readonly item: string;
  readonly fault: string;
  readonly why: string;
}
