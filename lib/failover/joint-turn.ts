import { CLASSES, type Class } from '../schemas/common.ts';
import type { ResourceStatus } from '../schemas/resource.ts';

/** What is looked at of a resource: its status, and the classes of the groups that it holds. */
export interface Holding {
  readonly id: string;
  readonly status: ResourceStatus;
  readonly classes: readonly Class[];
}

/** The most urgent class first; nothing held comes last. */
export const urgencyOf = (classes: readonly Class[]): number =>
  Math.min(CLASSES.length, ...classes.map((cls) => CLASSES.indexOf(cls)));

/**
 * Whether work of this class must wait for its turn: another resource that is lost still holds more urgent work, which
 * moves within moments and may need the room.
 */
export const mustWaitItsTurn = (cls: Class, own: string, fleet: readonly Holding[]): boolean =>
  fleet.some(
    ({ id, status, classes }) =>
      id !== own &&
      (status === 'failed' || status === 'recovering') &&
      urgencyOf(classes) < CLASSES.indexOf(cls),
  );
