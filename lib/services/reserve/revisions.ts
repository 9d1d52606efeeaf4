import type { ResourceRecord } from '../../store/fleet/resources.ts';

/** Numbers are forgotten when they are so many. */
const REVISIONS_MAX = 50_000;

/** Moves on with what runs on a resource: each allocation and each move changes it. */
export const loadMark = ({ assignmentRevision, epoch, used, groups }: ResourceRecord): string =>
  JSON.stringify([assignmentRevision, epoch, used, groups.length]);

/** A number that stands for a resource's properties other than its load: the same number, the same properties. */
export class Revisions {
  readonly #numbers = new Map<string, number>();
  #last = 0;

  of({ cfg, epoch, status, devices, spread }: ResourceRecord): number {
    const words = JSON.stringify([cfg, epoch, status, devices?.used, spread]);
    if (this.#numbers.size > REVISIONS_MAX) this.#numbers.clear();
    const known = this.#numbers.get(words);
    if (known !== undefined) return known;
    this.#last += 1;
    this.#numbers.set(words, this.#last);
    return this.#last;
  }
}
