import type { Vector } from '../schemas/common.ts';
import { add } from '../vector.ts';
import { Tally } from './reason-tally.ts';

interface Holder {
  readonly used: Vector;
  readonly limit: Vector;
  readonly groups: readonly unknown[];
}
interface Held {
  readonly demand: Vector;
}

/** Why a target cannot take a group, given what it would hold by then; undefined when it can. */
export type Judge<T extends Holder, G extends Held> = (
  target: T,
  group: G,
  usedSoFar: Vector,
  heldSoFar: number,
  brought: readonly G[],
) => string | undefined;

/** What a target would hold by what is planned so far. */
interface Load<G> {
  readonly used: Vector;
  readonly held: number;
  readonly brought: readonly G[];
}

const NOTHING: readonly never[] = [];

/** Numbers for each target: what is used of each dimension, then the limits. */
const STRIDE = 8;

/**
 * A fleet as a plan fills it, by the place of a target in the list. What is used and allowed stands in flat arrays
 * besides, made when they are first asked for: a group that fits almost nowhere is looked for all over the fleet, and
 * then the rule that admits is asked only where there is room.
 */
export class Filling<T extends Holder, G extends Held> {
  readonly fleet: readonly T[];
  readonly #judge: Judge<T, G>;
  readonly #loads = new Map<number, Load<G>>();
  #room: Float64Array | undefined;

  /** `judge` must refuse what passes the target's limit. */
  constructor(fleet: readonly T[], judge: Judge<T, G>) {
    this.fleet = fleet;
    this.#judge = judge;
  }

  at(place: number): T {
    const target = this.fleet[place];
    if (target === undefined) throw new Error(`no target at ${place} of ${this.fleet.length}`);
    return target;
  }

  /** What the plan gave it already, in that order. */
  broughtTo(place: number): readonly G[] {
    return this.#loads.get(place)?.brought ?? [];
  }

  bring(place: number, group: G): void {
    const { used, groups } = this.at(place);
    const load = this.#loads.get(place) ?? { used, held: groups.length, brought: [] };
    const after = {
      used: add(load.used, group.demand),
      held: load.held + 1,
      brought: [...load.brought, group],
    };
    this.#loads.set(place, after);
    if (this.#room !== undefined) writeUsed(this.#room, place, after.used);
  }

  /** Why the target cannot take the group, after what it was brought; undefined when it can. */
  refusal(place: number, group: G): string | undefined {
    const target = this.at(place);
    const load = this.#loads.get(place);
    return load === undefined
      ? this.#judge(target, group, target.used, target.groups.length, NOTHING)
      : this.#judge(target, group, load.used, load.held, load.brought);
  }

  /** Whether the target stays within its limit; true is not yet leave to use it. */
  hasRoom(place: number, { processing, memory, storage, network }: Vector): boolean {
    this.#room ??= this.#roomOf();
    const room = this.#room;
    const at = place * STRIDE;
    return (
      (processing <= 0 || (room[at] ?? 0) + processing <= (room[at + 4] ?? 0)) &&
      (memory <= 0 || (room[at + 1] ?? 0) + memory <= (room[at + 5] ?? 0)) &&
      (storage <= 0 || (room[at + 2] ?? 0) + storage <= (room[at + 6] ?? 0)) &&
      (network <= 0 || (room[at + 3] ?? 0) + network <= (room[at + 7] ?? 0))
    );
  }

  /** Why nothing takes it: the reason that most of the fleet gives, the first met at a tie. */
  telling(group: G): string {
    const reasons = new Tally();
    for (let place = 0; place < this.fleet.length; place++) {
      const reason = this.refusal(place, group);
      if (reason !== undefined) reasons.count(reason);
    }
    return reasons.telling();
  }

  #roomOf(): Float64Array {
    const room = new Float64Array(this.fleet.length * STRIDE);
    for (const [place, { used, limit }] of this.fleet.entries()) {
      const at = place * STRIDE;
      writeUsed(room, place, this.#loads.get(place)?.used ?? used);
      room[at + 4] = limit.processing;
      room[at + 5] = limit.memory;
      room[at + 6] = limit.storage;
      room[at + 7] = limit.network;
    }
    return room;
  }
}

const writeUsed = (room: Float64Array, place: number, used: Vector): void => {
  const at = place * STRIDE;
  room[at] = used.processing;
  room[at + 1] = used.memory;
  room[at + 2] = used.storage;
  room[at + 3] = used.network;
};
