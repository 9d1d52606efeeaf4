import type { Candidate } from './candidate.ts';
import { type Ineligible, ineligible } from './eligibility.ts';
import { Cells } from './index/cells.ts';
import type { Watched, Watcher } from './index/changes.ts';
import { Profiles } from './index/profiles.ts';
import { Query } from './index/query.ts';
import { Rows } from './index/rows.ts';
import { SpreadBook } from './index/spread-book.ts';
import type { PlacementRequest } from './request.ts';

/**
 * The fleet as placement sees it, kept up resource by resource. A change costs a few numbers; what a constraint profile
 * admits is remembered per signature of labscape, labels and residency (a cell), not asked of every resource. Answers
 * as `ineligible` does. Rows are numbered in the order in which resources came; a row that was left is used again, the
 * one left last first.
 */
export class FleetIndex implements Watched {
  readonly rows = new Rows();
  readonly cells = new Cells();
  readonly spread = new SpreadBook();
  readonly #profiles = new Profiles(this.cells);
  readonly #rowOf = new Map<string, number>();
  readonly #unused: number[] = [];
  readonly #watchers: Watcher[] = [];

  /** How many resources it holds, of whatever status. */
  get size(): number {
    return this.#rowOf.size;
  }

  ids(): Iterable<string> {
    return this.#rowOf.keys();
  }

  get(id: string): Candidate | undefined {
    const row = this.#rowOf.get(id);
    return row === undefined ? undefined : this.rows.candidates[row];
  }

  /** Its row; −1, which nothing accepts, when it is not known. */
  rowOf(id: string): number {
    return this.#rowOf.get(id) ?? -1;
  }

  /** The resource as it is now known to be, new or not. */
  put(candidate: Candidate): void {
    const known = this.#rowOf.get(candidate.id);
    const row = known ?? this.#unused.pop() ?? this.rows.end;
    if (known === undefined) this.#rowOf.set(candidate.id, row);
    const before = known === undefined ? undefined : this.rows.candidates[row];
    if (before === candidate) return;
    const cell = this.cells.join(row, candidate, before === undefined ? -1 : (this.rows.cell[row] ?? -1));
    this.spread.shift(row, before?.spread, candidate.spread);
    this.rows.write(row, candidate, cell);
    for (const watcher of this.#watchers) watcher.touch(row);
  }

  remove(id: string): void {
    const row = this.#rowOf.get(id);
    if (row === undefined) return;
    this.cells.leave(row, this.rows.cell[row] ?? -1);
    this.spread.shift(row, this.rows.candidates[row]?.spread, undefined);
    this.rows.clear(row);
    this.#rowOf.delete(id);
    this.#unused.push(row);
    for (const watcher of this.#watchers) watcher.touch(row);
  }

  /** Tells `watcher` of every row that changes from now on. */
  watch(watcher: Watcher): void {
    this.#watchers.push(watcher);
  }

  query(request: PlacementRequest): Query {
    return new Query(this.rows, this.spread, this.#profiles.of(request.constraints), request);
  }

  /** How many resources each reason rules out, those of `except` left out: one look at each, not for the hot path. */
  explain(request: PlacementRequest): Readonly<Partial<Record<Ineligible, number>>> {
    const { demand, constraints, purpose, kind, devices, except } = request;
    const reasons: Partial<Record<Ineligible, number>> = {};
    for (const candidate of this.rows.candidates) {
      if (candidate === undefined || except?.has(candidate.id)) continue;
      const reason = ineligible(candidate, demand, constraints, purpose, kind, devices);
      if (reason !== undefined) reasons[reason] = (reasons[reason] ?? 0) + 1;
    }
    return reasons;
  }
}
