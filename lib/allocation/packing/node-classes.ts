/** Free vector, model and gaps of a node; nodes that are equal in these are one class. */
export interface NodeState {
  readonly free: readonly number[];
  readonly model: string;
  readonly devices: readonly number[];
}

/** Entries of members that left which a class keeps beyond twice its size. */
const GONE_KEPT_MAX = 64;

/** Members of a class by id, smallest first; one that has left stays until it comes to the top. */
class Members {
  readonly #heap: string[] = [];
  readonly #present = new Set<string>();

  get size(): number {
    return this.#present.size;
  }

  add(id: string): void {
    this.#present.add(id);
    if (this.#heap.length > 2 * this.#present.size + GONE_KEPT_MAX) this.#tidy();
    const heap = this.#heap;
    let at = heap.push(id) - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if ((heap[above] ?? '') <= id) break;
      heap[at] = heap[above] ?? '';
      at = above;
    }
    heap[at] = id;
  }

  delete(id: string): void {
    this.#present.delete(id);
  }

  /** A sorted array is a heap. */
  #tidy(): void {
    this.#heap.splice(0, this.#heap.length, ...[...this.#present].sort());
  }

  first(): string {
    while (this.#heap.length > 0) {
      const [top = ''] = this.#heap;
      if (this.#present.has(top)) return top;
      this.#dropTop();
    }
    throw new Error('A class without members was asked for its first');
  }

  #dropTop(): void {
    const heap = this.#heap;
    const moved = heap.pop() ?? '';
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= heap.length) break;
      if (below + 1 < heap.length && (heap[below + 1] ?? '') < (heap[below] ?? '')) below += 1;
      if ((heap[below] ?? '') >= moved) break;
      heap[at] = heap[below] ?? '';
      at = below;
    }
    heap[at] = moved;
  }
}

const grown = (from: Float64Array, length: number): Float64Array => {
  const to = new Float64Array(length);
  to.set(from);
  return to;
};

/**
 * Nodes grouped by equal state. Free vectors stand in one flat array, so that looking for room is a linear pass over
 * numbers: 100,000 classes take a fraction of a millisecond. Slots of classes that died are reused, last first.
 */
export class NodeClasses {
  readonly dimensions: number;
  #free: Float64Array;
  /** Gaps of each class, ascending. */
  readonly #gaps: (readonly number[])[] = [];
  readonly #models: string[] = [];
  readonly #members: Members[] = [];
  readonly #keys: string[] = [];
  readonly #slots = new Map<string, number>();
  readonly #unused: number[] = [];
  readonly #stamps: number[] = [];
  #births = 0;

  constructor(dimensions: number) {
    this.dimensions = dimensions;
    this.#free = new Float64Array(Math.max(1, dimensions) * 64);
  }

  /** Slots in use are below this; some below may be empty. */
  get end(): number {
    return this.#keys.length;
  }

  get free(): Float64Array {
    return this.#free;
  }

  gaps(slot: number): readonly number[] {
    return this.#gaps[slot] ?? [];
  }

  model(slot: number): string {
    return this.#models[slot] ?? '';
  }

  isLive(slot: number): boolean {
    return (this.#members[slot]?.size ?? 0) > 0;
  }

  /** Changes when another class takes the slot; never 0. */
  stamp(slot: number): number {
    return this.#stamps[slot] ?? 0;
  }

  /** Smallest id of the class. */
  first(slot: number): string {
    const members = this.#members[slot];
    if (members === undefined) throw new Error(`No class in slot ${slot}`);
    return members.first();
  }

  /** The slot of the class that the node is now in. */
  join(id: string, state: NodeState): number {
    const gaps = [...state.devices].sort((a, b) => a - b);
    const key = `${state.model}/${state.free.join()}/${gaps.join()}`;
    const known = this.#slots.get(key);
    if (known !== undefined) {
      this.#members[known]?.add(id);
      return known;
    }
    const slot = this.#unused.pop() ?? this.#keys.length;
    if ((slot + 1) * this.dimensions > this.#free.length)
      this.#free = grown(this.#free, 2 * this.#free.length);
    this.#free.set(state.free, slot * this.dimensions);
    this.#gaps[slot] = gaps;
    this.#models[slot] = state.model;
    const members = new Members();
    members.add(id);
    this.#members[slot] = members;
    this.#keys[slot] = key;
    this.#slots.set(key, slot);
    this.#births += 1;
    this.#stamps[slot] = this.#births;
    return slot;
  }

  leave(id: string, slot: number): void {
    const members = this.#members[slot];
    members?.delete(id);
    if (members === undefined || members.size > 0) return;
    this.#slots.delete(this.#keys[slot] ?? '');
    // No amount fits into what is not a number, so a dead slot drops out of the search by itself.
    this.#free.fill(Number.NaN, slot * this.dimensions, (slot + 1) * this.dimensions);
    this.#gaps[slot] = [];
    this.#unused.push(slot);
  }
}
