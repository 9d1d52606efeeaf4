interface Due {
  readonly atMs: number;
  readonly run: () => void;
}

/** What is due next, first: a binary heap. */
export class TimeQueue {
  readonly #heap: Due[] = [];

  put(atMs: number, run: () => void): void {
    const heap = this.#heap;
    const due = { atMs, run };
    let at = heap.length;
    heap.push(due);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || above.atMs <= atMs) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = due;
  }

  /** Throws when nothing is due. */
  take(): Due {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined) throw new RangeError('nothing is due');
    if (heap.length > 0) this.#sink(last);
    return first;
  }

  #sink(due: Due): void {
    const heap = this.#heap;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      const right = heap[child + 1];
      let below = heap[child];
      if (right !== undefined && below !== undefined && right.atMs < below.atMs) {
        child += 1;
        below = right;
      }
      if (below === undefined || below.atMs >= due.atMs) break;
      heap[at] = below;
      at = child;
    }
    heap[at] = due;
  }
}
