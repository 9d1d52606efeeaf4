import { FitCheck, type PlanAt } from '../../allocation/fit-check.ts';
import { GROUPS_HELD_MAX } from '../../allocation/groups.ts';
import { copiesHoldUntil } from '../../data-copies.ts';
import { type Fit, keptFit } from '../../failover/readiness.ts';
import type { ReadinessReason } from '../../schemas/readiness.ts';
import {
  type LabscapeReadinessRow,
  type ReadinessRow,
  readinessRows,
  readLabscapeReadiness,
} from '../../store/fleet/readiness.ts';
import { type GroupRecord, readGroups } from '../../store/placement/groups.ts';
import type { FleetResource } from '../fleet.ts';
import { planMoves } from '../recovery/plan-moves.ts';
import type { Held } from '../recovery/quote.ts';
import { loadMark, Revisions } from '../reserve/revisions.ts';
import type { Runtime } from '../runtime.ts';
import { covered, type WholeFit, wholeFit } from './whole-fit.ts';

/** Bounds of one look: what is left over is the next one's. Failures planned, groups read, time, ms. */
const PLANS_MAX = 500;
const GROUPS_READ_MAX = 6_000;
export const WORK_MS_MAX = 5_000;
/** Resources whose groups are read at a time. */
const TOGETHER = 16;

type Taking = FleetResource & {
  readonly held: number;
  readonly revision: number;
  readonly load: string;
};

const planAt: PlanAt<Taking, GroupRecord> = (failed, groups, others, now) => {
  const plan = planMoves(failed, groups, others, undefined, now);
  return { ...plan, until: copiesHoldUntil(plan, now) };
};

interface Whole extends WholeFit {
  /** Of the fleet when it was planned. */
  readonly mark: string;
  /** Monotonic. */
  readonly atMs: number;
}

/** What is left of a look's bounds. */
class Means {
  readonly #untilMs: number;
  readonly #nowMs: () => number;
  #plans = PLANS_MAX;
  #groups = GROUPS_READ_MAX;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
    this.#untilMs = nowMs() + WORK_MS_MAX;
  }

  /** Takes them, if there are so many. */
  take(plans: number, groups: number): boolean {
    if (plans > this.#plans || groups > this.#groups || this.#nowMs() >= this.#untilMs) return false;
    this.#plans -= plans;
    this.#groups -= groups;
    return true;
  }
}

/** What a warm sweep knows of every failure that has not happened. */
export class ReadinessBook {
  readonly #check = new FitCheck<Taking, GroupRecord>(planAt, GROUPS_HELD_MAX);
  readonly #revisions = new Revisions();
  readonly #wholes = new Map<string, Whole>();
  readonly #loaded = new Set<string>();
  readonly rows = new Map<string, ReadinessRow>();
  readonly labscapeRows = new Map<string, LabscapeReadinessRow>();
  /** Failures that should have been planned anew, which the last look had no time for. */
  #behind: ReadonlySet<string> = new Set();

  /** What was written by whoever looked before, once for each labscape. */
  async load({ store }: Runtime, labscapes: readonly string[]): Promise<void> {
    const fresh = labscapes.filter((id) => !this.#loaded.has(id));
    if (fresh.length === 0) return;
    for (const row of await readLabscapeReadiness(store, fresh)) this.labscapeRows.set(row.labscape, row);
    for (const id of fresh) {
      for (const row of (await readinessRows(store, id)).rows) this.rows.set(row.resource, row);
      this.#loaded.add(id);
    }
  }

  /** Plans what has become doubtful, within the bounds of one look, and by the clock as it begins. */
  async plan(runtime: Runtime, resources: readonly FleetResource[]): Promise<void> {
    const means = new Means(() => runtime.clock.monotonicMs());
    const fleet = resources.map((one) => this.#taking(one));
    const byId = new Map(fleet.map((one) => [one.id, one]));
    const now = runtime.clock.now();
    const due = this.#check
      .look(fleet, now)
      .flatMap((id) => byId.get(id) ?? [])
      .filter(({ groups }) => groups.length > 0);
    const read = new Map<string, GroupRecord>();
    let done = 0;
    for (; done < due.length; done += TOGETHER) {
      const some = due.slice(done, done + TOGETHER);
      if (!means.take(some.length, groupCount(some))) break;
      const held = await holdings(runtime, some, read);
      for (const { resource, groups } of held) this.#check.plan(resource.id, groups);
    }
    this.#behind = new Set(due.slice(done).map(({ id }) => id));
    await this.#planWholes(runtime, fleet, means, read, now);
  }

  fitOf(id: string): Fit {
    const fit = this.#check.fitOf(id);
    return fit ?? kept(this.rows.get(id)?.reasons);
  }

  wholeFitOf(labscape: string): Fit {
    return this.#wholes.get(labscape)?.fit ?? kept(this.labscapeRows.get(labscape)?.reasons);
  }

  isBehind(id: string): boolean {
    return this.#behind.has(id);
  }

  /** Labscapes that were planned longest ago first, if anything has changed since, or a copy of data is stale by now. */
  async #planWholes(
    runtime: Runtime,
    fleet: readonly Taking[],
    means: Means,
    read: Map<string, GroupRecord>,
    now: number,
  ): Promise<void> {
    const mark = JSON.stringify(fleet.map(({ id, revision, load }) => [id, revision, load]));
    const atMs = runtime.clock.monotonicMs();
    const meant = [...Map.groupBy(fleet, ({ labscape }) => labscape)]
      .filter(([id]) => {
        const known = this.#wholes.get(id);
        return known?.mark !== mark || now > known.until;
      })
      .sort(([a], [b]) => (this.#wholes.get(a)?.atMs ?? 0) - (this.#wholes.get(b)?.atMs ?? 0))
      .map(([labscape, own]) => ({ labscape, ...covered(own) }))
      .filter(({ own }) => means.take(1, groupCount(own)));
    // Read together: of many small labscapes each one's own answer would be waited for.
    await holdings(
      runtime,
      meant.flatMap(({ own }) => own),
      read,
    );
    for (const { labscape, own, cut } of meant) {
      if (!means.take(0, 0)) return;
      const held = await holdings(runtime, own, read);
      const others = fleet.filter((one) => one.labscape !== labscape);
      this.#wholes.set(labscape, { ...wholeFit(held, others, cut, now), mark, atMs });
    }
  }

  #taking(resource: FleetResource): Taking {
    const revision = this.#revisions.of(resource);
    return { ...resource, held: resource.groups.length, revision, load: loadMark(resource) };
  }
}

const kept = (reasons: readonly ReadinessReason[] | undefined): Fit =>
  reasons === undefined ? { kind: 'unchecked' } : keptFit(reasons);

const groupCount = (resources: readonly Taking[]): number =>
  resources.reduce((total, { groups }) => total + groups.length, 0);

/** `read`: what this look has read already, and what it reads now. */
const holdings = async (
  { store }: Runtime,
  resources: readonly Taking[],
  read: Map<string, GroupRecord>,
): Promise<readonly Held[]> => {
  const refs = resources.flatMap(({ groups }) => groups.map(({ group }) => group));
  for (const group of await readGroups(
    store,
    refs.filter((id) => !read.has(id)),
  ))
    read.set(group.id, group);
  return resources.map((resource) => ({
    resource,
    groups: resource.groups
      .flatMap(({ group }) => read.get(group) ?? [])
      .filter(({ status, resource: owner }) => status === 'placed' && owner === resource.id),
  }));
};

const books = new WeakMap<Runtime, ReadinessBook>();

/** The one book of a warm function. */
export const bookOf = (runtime: Runtime): ReadinessBook => {
  const book = books.get(runtime) ?? new ReadinessBook();
  books.set(runtime, book);
  return book;
};
