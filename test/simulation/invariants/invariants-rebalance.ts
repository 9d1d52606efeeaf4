import type { AuditEvent } from '../../../lib/schemas/audit.ts';
import type { Changes, State } from '../world/state.ts';
import type { Breach } from './invariants.ts';

/** Moves that nothing forces: they keep to the fill, and to the window of the labscape that they leave. */
export const isBalancing = ({ body }: Pick<AuditEvent, 'body'>): boolean =>
  body['rebalance'] !== undefined || body['failback'] !== undefined;

/**
 * Invariant 9, of balancing: no span of a labscape's window holds more moves off its resources than its policy allows,
 * by the controller's clock, as the events tell it.
 */
export class RebalanceWatch {
  readonly #movedAt = new Map<string, number[]>();

  /** As before the first commit. */
  forget(): void {
    this.#movedAt.clear();
  }

  look(state: State, { events, resources }: Changes): readonly Breach[] {
    const flip = events.find(isBalancing);
    const source = resources.find(({ after }) => `resource#${after.id}` === flip?.entity)?.after;
    const policy = state.labscapes.get(source?.labscape ?? '')?.policy.rebalance;
    if (flip === undefined || source === undefined) return [];
    if (policy === undefined) return [{ invariant: 9, what: `${source.id} is balanced without a policy` }];
    const times = [...(this.#movedAt.get(source.labscape) ?? []), flip.at];
    this.#movedAt.set(source.labscape, times);
    const { windowMs, movesPerWindow } = policy;
    // Every span with the new move in it ends with a move of the next window's length.
    const ends = times.filter((at) => at >= flip.at && at < flip.at + windowMs);
    const most = Math.max(
      ...ends.map((end) => times.filter((at) => at > end - windowMs && at <= end).length),
    );
    if (most <= movesPerWindow) return [];
    const what = `${source.labscape} has ${most} moves in a window that allows ${movesPerWindow}`;
    return [{ invariant: 9, what }];
  }
}
