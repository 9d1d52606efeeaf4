import { ClassScorer } from './class-scorer.ts';
import { DemandMix } from './demand-mix.ts';
import { NodeClasses } from './node-classes.ts';
import { ScoreMemory } from './score-memory.ts';
import {
  checkDemand,
  DEVICE_SLOTS,
  demandKey,
  devicesWith,
  type PackDemand,
  type PackNode,
  type Placement,
  type Unfit,
  unfit,
} from './shape.ts';
import { type Totals, totalsDrifted } from './usable-value.ts';

/** Classes with room that one decision looks at; beyond, those in the first slots stand for all. */
const CLASSES_CONSIDERED_MAX = 2_048;
/** States (about a microsecond each) that one decision values anew; classes beyond wait for the next. Bounds the tail. */
const STATES_VALUED_MAX = 384;
interface Held {
  readonly id: string;
  readonly model: string;
  readonly capacity: readonly number[];
  readonly free: number[];
  readonly devices: number[];
  slot: number;
}

/** Whether a number of sub-slots can be what is free of a device. */
const isGap = (slots: number): boolean => slots >= 0 && slots <= DEVICE_SLOTS;

/**
 * Fragmentation-aware packing of vectors and devices, learning the mix of demands as they arrive.
 *
 * A demand goes to the node that loses
 * 1. least worth of its device gaps at the shadow prices of the learnt cutting-stock problem (cutting-stock.ts), in
 *    whole milli-devices: which gap does this size complete;
 * 2. then least usable value (usable-value.ts): what can the learnt mix still do with what is left here;
 * 3. then the smallest id. Between gaps of one node: likewise 1, 2, then the smaller gap; between equal devices the
 *    smallest index.
 *
 * A demand that fits is always placed: nothing is held back for a better one. Before the first arrival is observed
 * every choice is a tie, so the smallest id wins. No clock, no chance: the same calls give the same answers.
 *
 * Cost: a pass over the free vectors of the classes (equal nodes are one class), a look-up for each with room, and
 * about a microsecond for each class that changed since the same demand was last asked for.
 */
export class Packer {
  readonly #classes: NodeClasses;
  readonly #nodes = new Map<string, Held>();
  readonly #mix = new DemandMix();
  readonly #memory = new ScoreMemory();
  readonly #capacity: number[];
  #slotsTotal = 0;
  /** Of the scorer: scores of another one are stale. */
  #version = 0;
  #scored: { mixVersion: number; totals: Totals; scorer: ClassScorer } | undefined;

  /** `dimensions`: how many amounts every node and demand has. */
  constructor(dimensions: number) {
    this.#classes = new NodeClasses(dimensions);
    this.#capacity = new Array<number>(dimensions).fill(0);
  }

  add(node: PackNode): void {
    if (this.#nodes.has(node.id)) throw new Error(`Node ${node.id} is already packed`);
    const { dimensions } = this.#classes;
    if (node.free.length !== dimensions || node.capacity.length !== dimensions || !node.devices.every(isGap))
      throw new Error(
        `Node ${node.id} does not have ${dimensions} dimensions and devices of ${DEVICE_SLOTS}`,
      );
    const { id, model, capacity } = node;
    const held: Held = { id, model, capacity, free: [...node.free], devices: [...node.devices], slot: -1 };
    this.#nodes.set(id, held);
    this.#count(held, 1);
    held.slot = this.#classes.join(id, held);
  }

  remove(id: string): void {
    const held = this.#held(id);
    this.#count(held, -1);
    this.#classes.leave(id, held.slot);
    this.#nodes.delete(id);
  }

  /** The node as it is now known to be; adds it when it is new. */
  update(node: PackNode): void {
    if (this.#nodes.has(node.id)) this.remove(node.id);
    this.add(node);
  }

  /** Counts an arrival towards the mix: once per demand, before it is placed, and whether it will be or not. */
  observe(demand: PackDemand): void {
    checkDemand(demand, this.#classes.dimensions);
    this.#mix.observe(demand);
  }

  /** Where the demand should go, or undefined when no node has room. Takes nothing. */
  choose(demand: PackDemand): Placement | undefined {
    checkDemand(demand, this.#classes.dimensions);
    const scorer = this.#scorer();
    const table = this.#memory.of(demandKey(demand), this.#classes.end, this.#version);
    const { mask, stamps, losses, valuesLost } = table;
    let best = -1;
    let bestLoss = Number.POSITIVE_INFINITY;
    let bestLost = Number.POSITIVE_INFINITY;
    let considered = 0;
    const valuedMax = scorer.valued + STATES_VALUED_MAX;
    for (let slot = 0; slot < this.#classes.end && considered < CLASSES_CONSIDERED_MAX; slot++) {
      if (!this.#hasRoom(slot, demand)) continue;
      considered += 1;
      const at = slot & mask;
      if (stamps[at] !== this.#classes.stamp(slot)) {
        if (scorer.valued >= valuedMax) continue;
        scorer.score(slot, demand);
        losses[at] = scorer.loss;
        valuesLost[at] = scorer.valueLost;
        stamps[at] = this.#classes.stamp(slot);
      }
      const loss = losses[at] ?? 0;
      const lost = valuesLost[at] ?? 0;
      if (loss > bestLoss || (loss === bestLoss && lost > bestLost)) continue;
      const tie = loss === bestLoss && lost === bestLost;
      if (tie && best >= 0 && this.#classes.first(slot) > this.#classes.first(best)) continue;
      best = slot;
      bestLoss = loss;
      bestLost = lost;
    }
    if (best < 0) return undefined;
    const { id, devices } = this.#held(this.#classes.first(best));
    return { node: id, devices: devicesWith(devices, scorer.score(best, demand, true)) };
  }

  /** How many nodes each reason rules out; for explanations, not for the hot path. */
  whyNot(demand: PackDemand): Readonly<Partial<Record<Unfit, number>>> {
    const reasons: Partial<Record<Unfit, number>> = {};
    for (const held of this.#nodes.values()) {
      const reason = unfit(held, demand);
      if (reason !== undefined) reasons[reason] = (reasons[reason] ?? 0) + 1;
    }
    return reasons;
  }

  /** Takes what was chosen. Throws when it does not fit, so that a stale choice cannot over fill. */
  commit(placement: Placement, demand: PackDemand): void {
    const asked = demand.devices?.models;
    if (asked !== undefined && !asked.includes(this.#held(placement.node).model))
      throw new Error(`${placement.node} has another model than ${demandKey(demand)} asks for`);
    this.#apply(placement, demand, -1);
  }

  /** Gives back what was committed. Throws when that is more than the node has. */
  release(placement: Placement, demand: PackDemand): void {
    this.#apply(placement, demand, 1);
  }

  #apply({ node, devices }: Placement, demand: PackDemand, sign: 1 | -1): void {
    checkDemand(demand, this.#classes.dimensions);
    const held = this.#held(node);
    const slots = sign * (demand.devices?.slots ?? 0);
    const free = held.free.map((amount, d) => amount + sign * (demand.amounts[d] ?? 0));
    const wrong =
      devices.length !== (demand.devices?.count ?? 0) ||
      new Set(devices).size !== devices.length ||
      free.some((amount, d) => (sign < 0 ? amount < 0 : amount > (held.capacity[d] ?? 0))) ||
      devices.some((index) => !isGap((held.devices[index] ?? Number.NaN) + slots));
    if (wrong)
      throw new Error(`${sign < 0 ? 'No room' : 'Nothing to give back'} on ${node} for ${demandKey(demand)}`);
    for (const [d, amount] of free.entries()) held.free[d] = amount;
    for (const index of devices) held.devices[index] = (held.devices[index] ?? 0) + slots;
    this.#classes.leave(node, held.slot);
    held.slot = this.#classes.join(node, held);
  }

  #held(id: string): Held {
    const held = this.#nodes.get(id);
    if (held === undefined) throw new Error(`Node ${id} is not known`);
    return held;
  }

  #count(held: Held, sign: 1 | -1): void {
    for (const [d, amount] of held.capacity.entries())
      this.#capacity[d] = (this.#capacity[d] ?? 0) + sign * amount;
    this.#slotsTotal += sign * DEVICE_SLOTS * held.devices.length;
  }

  /** A new mix or a fleet of another size makes every remembered score stale. */
  #scorer(): ClassScorer {
    const { mix } = this.#mix;
    const totals = { amounts: [...this.#capacity], slots: this.#slotsTotal };
    const current = this.#scored;
    if (current?.mixVersion === mix.version && !totalsDrifted(totals, current.totals)) return current.scorer;
    const scorer = new ClassScorer(this.#classes, mix, totals);
    this.#scored = { mixVersion: mix.version, totals, scorer };
    this.#version += 1;
    return scorer;
  }

  #hasRoom(slot: number, { amounts, devices }: PackDemand): boolean {
    const { free, dimensions } = this.#classes;
    for (let d = 0, at = slot * dimensions; d < dimensions; d++, at++)
      if (!((free[at] ?? 0) >= (amounts[d] ?? 0))) return false;
    if (devices === undefined) return this.#classes.isLive(slot);
    const gaps = this.#classes.gaps(slot);
    if (!((gaps[gaps.length - devices.count] ?? -1) >= devices.slots)) return false;
    return devices.models === undefined || devices.models.includes(this.#classes.model(slot));
  }
}
