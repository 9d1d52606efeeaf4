/** What the group itself rules out, or is down: counted only where no resource came closer. */
const ASIDE: ReadonlySet<string> = new Set(['labscape-excluded', 'label-missing', 'not-healthy']);

/** Counts reasons. They are few: a list is quicker than a map, and each search over the fleet asks it of every resource. */
export class Tally {
  readonly #reasons: string[] = [];
  readonly #counts: number[] = [];

  count(reason: string): void {
    const at = this.#reasons.indexOf(reason);
    if (at >= 0) this.#counts[at] = (this.#counts[at] ?? 0) + 1;
    else {
      this.#reasons.push(reason);
      this.#counts.push(1);
    }
  }

  clear(): void {
    this.#reasons.length = 0;
    this.#counts.length = 0;
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

/** The reason that most of the fleet gives, the first met at a tie. */
export const mostFrequent = <T>(fleet: readonly T[], refusal: (target: T) => string | undefined): string => {
  const reasons = new Tally();
  for (const target of fleet) {
    const reason = refusal(target);
    if (reason !== undefined) reasons.count(reason);
  }
  return reasons.telling();
};
