import type { Vector } from '../schemas/common.ts';
import { add, within } from '../vector.ts';
import { type Gains, gainsOf, hasRoom, type RehomePlan, type ReserveResource } from './reserve-check.ts';

/** A resource as the check sees it. */
export interface Checked extends ReserveResource {
  /** What normal placement may use. */
  readonly fill: Vector;
  /** Moves on with whatever runs here: what its own failure would have to move. */
  readonly load: string;
}

/**
 * The planner that a recovery would use, at `now`, epoch ms. `until`: when its plan is right for the last time by the clock
 * alone, as copies of data become stale.
 */
export type PlanAt<R, G> = (
  failed: R,
  groups: readonly G[],
  others: readonly R[],
  now: number,
) => RehomePlan & { readonly until: number };

/** What a failure came to when it was planned; `gains` is the proof that it fits under `bound`. */
export type CheckedFit =
  | { readonly kind: 'fits' | 'reserve'; readonly gains: Gains }
  | { readonly kind: 'waits'; readonly waiting: number; readonly groups: number; readonly why: string };

interface Known<R> {
  readonly fit: CheckedFit;
  /** The look at which it was planned. */
  readonly look: number;
  /** Number of the plan: what was planned longest ago comes first again. */
  readonly turn: number;
  /** The plan's. */
  readonly until: number;
  readonly load: string;
  /** The resources that it relies on, as they were. */
  readonly targets: ReadonlyMap<string, R>;
}

const NOTHING_LOST = {
  fit: { kind: 'fits', gains: new Map() },
  until: Number.POSITIVE_INFINITY,
} as const;

/** The reason that most of them give. */
const mainReason = (unplaced: readonly { readonly reason: string }[]): string => {
  const counts = Map.groupBy(unplaced, ({ reason }) => reason);
  return [...counts].sort(([a, x], [b, y]) => y.length - x.length || (a < b ? -1 : 1))[0]?.[0] ?? '';
};

/**
 * Which single failures would find a place, kept from look to look: one is planned anew when what it would move has
 * changed, when a target that it relies on has lost the room, when its time is over, or, where something was lacking, when
 * anything at all has changed. The caller plans as many of those as it can afford; the others keep what was known.
 */
export class FitCheck<R extends Checked, G extends { readonly id: string; readonly demand: Vector }> {
  readonly #plan: PlanAt<R, G>;
  readonly #heldMax: number;
  readonly #known = new Map<string, Known<R>>();
  #fleet: ReadonlyMap<string, R> = new Map();
  #underFill: readonly R[] = [];
  #look = 0;
  #turn = 0;
  #now = 0;

  /** `heldMax`: most groups a resource may hold after a failover. */
  constructor(plan: PlanAt<R, G>, heldMax: number) {
    this.#plan = plan;
    this.#heldMax = heldMax;
  }

  /** Takes the fleet as it is now, epoch ms; answers which failures must be planned anew, the most doubtful first. */
  look(fleet: readonly R[], now: number): readonly string[] {
    const before = this.#fleet;
    this.#now = now;
    this.#fleet = new Map(fleet.map((one) => [one.id, one]));
    this.#underFill = [];
    const changed =
      before.size !== fleet.length ||
      fleet.some((one) => {
        const was = before.get(one.id);
        return was === undefined || was.revision !== one.revision || was.load !== one.load;
      });
    if (changed) this.#look += 1;
    for (const id of this.#known.keys()) if (!this.#fleet.has(id)) this.#known.delete(id);
    return fleet
      .map((one) => ({ id: one.id, doubt: this.#doubtOf(one), turn: this.#known.get(one.id)?.turn ?? 0 }))
      .filter(({ doubt }) => doubt > 0)
      .sort((a, b) => b.doubt - a.doubt || a.turn - b.turn || (a.id < b.id ? -1 : 1))
      .map(({ id }) => id);
  }

  /** Undefined: was never planned. */
  fitOf(id: string): CheckedFit | undefined {
    return this.#known.get(id)?.fit;
  }

  /** Plans the failure of a resource of the last look, with the groups that it holds. */
  plan(id: string, groups: readonly G[]): CheckedFit | undefined {
    const failed = this.#fleet.get(id);
    if (failed === undefined) return undefined;
    const { fit, until } = groups.length === 0 ? NOTHING_LOST : this.#fitOf(failed, groups);
    const relied = fit.kind === 'waits' ? [] : [...fit.gains.keys()];
    const targets = new Map(
      relied.flatMap((target) => {
        const found = this.#fleet.get(target);
        return found === undefined ? [] : [[target, found] as const];
      }),
    );
    this.#turn += 1;
    this.#known.set(id, { fit, look: this.#look, turn: this.#turn, until, load: failed.load, targets });
    return fit;
  }

  #fitOf(failed: R, groups: readonly G[]): Pick<Known<R>, 'fit' | 'until'> {
    const others = [...this.#fleet.values()];
    const { moves, unplaced, until } = this.#planOn(failed, groups, others);
    if (unplaced.length > 0) {
      const why = mainReason(unplaced);
      return { fit: { kind: 'waits', waiting: unplaced.length, groups: groups.length, why }, until };
    }
    const gains = gainsOf(moves);
    if (this.#staysUnderFill(gains)) return { fit: { kind: 'fits', gains }, until };
    // A recovery fills few targets up; what counts is whether it would have to.
    if (this.#underFill.length === 0) this.#underFill = others.map((one) => ({ ...one, limit: one.fill }));
    const modest = this.#planOn(failed, groups, this.#underFill);
    return modest.unplaced.length === 0
      ? { fit: { kind: 'fits', gains: gainsOf(modest.moves) }, until: modest.until }
      : { fit: { kind: 'reserve', gains }, until };
  }

  #planOn(failed: R, groups: readonly G[], all: readonly R[]): ReturnType<PlanAt<R, G>> {
    const others = all.filter(({ id }) => id !== failed.id);
    return this.#plan(failed, groups, others, this.#now);
  }

  #staysUnderFill(gains: Gains): boolean {
    return [...gains].every(([id, { demand }]) => {
      const target = this.#fleet.get(id);
      return target !== undefined && within(add(target.used, demand), target.fill);
    });
  }

  /** 0: what is known stands. */
  #doubtOf(one: R): number {
    const known = this.#known.get(one.id);
    if (known === undefined || known.load !== one.load) return 3;
    const inTime = this.#now <= known.until;
    if (inTime && known.look === this.#look) return 0;
    if (known.fit.kind === 'waits') return 1;
    if (!inTime) return 2;
    return this.#stands(known.fit, known.targets) ? Number(known.fit.kind === 'reserve') : 2;
  }

  #stands(fit: Extract<CheckedFit, { kind: 'fits' | 'reserve' }>, targets: ReadonlyMap<string, R>): boolean {
    return [...fit.gains].every(([id, gain]) => {
      const [then, now] = [targets.get(id), this.#fleet.get(id)];
      if (then === undefined || now === undefined || then.revision !== now.revision) return false;
      return hasRoom(fit.kind === 'fits' ? now.fill : now.limit, now, gain, this.#heldMax);
    });
  }
}
