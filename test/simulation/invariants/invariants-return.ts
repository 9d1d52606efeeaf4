import { shareOfBound } from '../../../lib/allocation/limits.ts';
import { returningAt } from '../../../lib/health/returning.ts';
import { firstOver, within } from '../../../lib/vector.ts';
import type { Changes, State } from '../world/state.ts';
import type { Breach } from './invariants.ts';
import { isBalancing } from './invariants-rebalance.ts';

/** Clocks of two sandboxes differ by so much at most, ms. */
const SKEW_MS = 401;

/**
 * Invariant 3, of resources that come back: placement and balancing bring them nothing in their probation, and no more
 * than their share in their slow start, as the events tell when they came back.
 */
export class ReturnWatch {
  readonly #returnedAt = new Map<string, number>();
  /** When the controller's clock last jumped: what it reckons from before is anybody's guess. */
  jumpedAt = Number.NEGATIVE_INFINITY;

  /** As before the first commit. */
  forget(): void {
    this.#returnedAt.clear();
  }

  look(state: State, changes: Changes): readonly Breach[] {
    const breaches = this.#judge(state, changes);
    this.#learn(changes);
    return breaches;
  }

  #learn({ events, when }: Changes): void {
    for (const { type, entity, body } of events) {
      const id = entity.replace('resource#', '');
      if (type === 'resource.healthy' && body['from'] === 'offline') this.#returnedAt.set(id, when.madeAt);
      if (type === 'resource.acknowledged' || type === 'resource.activated') this.#returnedAt.delete(id);
    }
  }

  #judge(state: State, { resources, allocations, events, when }: Changes): readonly Breach[] {
    const balancing = events.some(isBalancing);
    const placing = balancing || allocations.some(({ before }) => before === undefined);
    if (!placing) return [];
    return resources.flatMap(({ before, after }) => {
      const returnedAt = this.#returnedAt.get(after.id);
      const policy = state.labscapes.get(after.labscape)?.policy;
      if (before === undefined || within(after.used, before.used) || policy === undefined) return [];
      if (returnedAt === undefined || this.jumpedAt >= returnedAt) return [];
      const returning = returningAt(returnedAt, when.now + SKEW_MS, policy);
      if (returning === undefined) return [];
      const over = firstOver(after.used, shareOfBound(after.fill, returning.share));
      const what = `resource ${after.id}: ${over} passes ${returning.share} of its fill on its way back`;
      return over === undefined ? [] : [{ invariant: 3, what }];
    });
  }
}
