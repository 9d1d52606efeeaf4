import type { Vector } from '../schemas/common.ts';
import { add, within } from '../vector.ts';
import { type Gains, gainsOf, hasRoom, type PlanRehome, type ReserveResource } from './reserve-check.ts';

/** A resource as the check sees it. */
export interface Checked extends ReserveResource {
  /** What normal placement may use. */
  readonly fill: Vector;
  /** Moves on with whatever runs here: what its own failure would have to move. */
  readonly load: string;
}

/** What a failure came to when it was planned; `gains` is the proof that it fits under `bound`. */
export type CheckedFit =
  | { readonly kind: 'fits' | 'reserve'; readonly gains: Gains }
  | { readonly kind: 'waits'; readonly waiting: number; readonly groups: number; readonly why: string };

interface Known<R> {
  readonly fit: CheckedFit;
  /** The look at which it was planned. */
  readonly look: number;
  readonly load: string;
  /** The resources that it relies on, as they were. */
  readonly targets: ReadonlyMap<string, R>;
}

const NOTHING_LOST = { kind: 'fits', gains: new Map() } as const;

/** The reason that most of them give. */
const mainReason = (unplaced: readonly { readonly reason: string }[]): string => {
  const counts = Map.groupBy(unplaced, ({ reason }) => reason);
  return [...counts].sort(([a, x], [b, y]) => y.length - x.length || (a < b ? -1 : 1))[0]?.[0] ?? '';
};

/**
 * Which single failures would find a place, kept from look to look: one is planned anew when what it would move has
 * changed, when a target that it relies on has lost the room, or, where something was lacking, when anything at all has
 * changed. The caller plans as many of those as it can afford; the others keep what was known.
 */
export class FitCheck<R extends Checked, G extends { readonly id: string; readonly demand: Vector }> {
  readonly #plan: PlanRehome<R, G>;
  readonly #heldMax: number;
  readonly #known = new Map<string, Known<R>>();
  #fleet: ReadonlyMap<string, R> = new Map();
  #underFill: readonly R[] = [];
  #look = 0;

  /** `heldMax`: most groups a resource may hold after a failover. */
  constructor(plan: PlanRehome<R, G>, heldMax: number) {
    this.#plan = plan;
    this.#heldMax = heldMax;
  }

  /** Takes the fleet as it is now; answers which failures must be planned anew, the most doubtful first. */
  look(fleet: readonly R[]): readonly string[] {
    const before = this.#fleet;
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
      .map((one) => ({ id: one.id, doubt: this.#doubtOf(one), look: this.#known.get(one.id)?.look ?? 0 }))
      .filter(({ doubt }) => doubt > 0)
      .sort((a, b) => b.doubt - a.doubt || a.look - b.look || (a.id < b.id ? -1 : 1))
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
    const fit = groups.length === 0 ? NOTHING_LOST : this.#fitOf(failed, groups);
    const relied = fit.kind === 'waits' ? [] : [...fit.gains.keys()];
    const targets = new Map(
      relied.flatMap((target) => {
        const found = this.#fleet.get(target);
        return found === undefined ? [] : [[target, found] as const];
      }),
    );
    this.#known.set(id, { fit, look: this.#look, load: failed.load, targets });
    return fit;
  }

  #fitOf(failed: R, groups: readonly G[]): CheckedFit {
    const others = [...this.#fleet.values()];
    const { moves, unplaced } = this.#plan(
      failed,
      groups,
      others.filter(({ id }) => id !== failed.id),
    );
    if (unplaced.length > 0)
      return { kind: 'waits', waiting: unplaced.length, groups: groups.length, why: mainReason(unplaced) };
    const gains = gainsOf(moves);
    if (this.#staysUnderFill(gains)) return { kind: 'fits', gains };
    // A recovery fills few targets up; what counts is whether it would have to.
    if (this.#underFill.length === 0) this.#underFill = others.map((one) => ({ ...one, limit: one.fill }));
    const modest = this.#plan(
      failed,
      groups,
      this.#underFill.filter(({ id }) => id !== failed.id),
    );
    return modest.unplaced.length === 0
      ? { kind: 'fits', gains: gainsOf(modest.moves) }
      : { kind: 'reserve', gains };
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
    if (known.look === this.#look) return 0;
    if (known.fit.kind === 'waits') return 1;
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
