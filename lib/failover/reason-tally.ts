/** What the group itself rules out, or is down: counted only where no resource came closer. */
const ASIDE: ReadonlySet<string> = new Set(['labscape-excluded', 'label-missing', 'not-healthy']);

/** Counts reasons. They are few: a list is quicker than a map, and each search over the fleet asks it of every resource. */
export class Tally {
  readonly #reasons: string[] = [];
  readonly #counts: number[] = [];
  #last = 0;

  count(reason: string): void {
    // Neighbours often say the same.
    if (reason !== this.#reasons[this.#last]) {
      const at = this.#reasons.indexOf(reason);
      this.#last = at < 0 ? this.#reasons.push(reason) - 1 : at;
    }
    this.#counts[this.#last] = (this.#counts[this.#last] ?? 0) + 1;
  }

  /** The most frequent, the first met at a tie; what lies aside only where nothing else was given. */
  telling(): string {
    const counted = this.#reasons.map((reason, i) => ({ reason, count: this.#counts[i] ?? 0 }));
    const closer = counted.filter(({ reason }) => !ASIDE.has(reason));
    let best = { reason: 'no-resource', count: 0 };
    for (const one of closer.length > 0 ? closer : counted) if (one.count > best.count) best = one;
    return best.reason;
  }
}
