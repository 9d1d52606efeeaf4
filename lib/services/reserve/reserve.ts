import { GROUPS_HELD_MAX } from '../../allocation/groups.ts';
import {
  decideReserve,
  type PlanRehome,
  ReserveCheck,
  type ReserveDecision,
  type Survival,
} from '../../allocation/reserve-check.ts';
import { copiesReadUntil, freshCopies } from '../../data-copies.ts';
import type { Policy } from '../../schemas/labscape.ts';
import type { Membership } from '../../store/placement/allocation-writes.ts';
import { type GroupRecord, readGroups } from '../../store/placement/groups.ts';
import { add } from '../../vector.ts';
import type { FleetResource } from '../fleet.ts';
import type { Draft } from '../placement/allocation-draft.ts';
import { planMoves } from '../recovery/plan-moves.ts';
import type { Runtime } from '../runtime.ts';
import { loadMark, Revisions } from './revisions.ts';

type Taking = FleetResource & { readonly held: number; readonly revision: number };
type Held = GroupRecord & { readonly resource: string };
type Asked = Held & { readonly places?: string };

/** Copies that are asked about have been found fresh already, and never become stale. */
const ANY_TIME = 0;

/**
 * What a plan takes from the clock is which copies of data are fresh, and the groups come with that; see also `#taking`.
 * Leases and holds it does not look at: what has expired moves as long as it is not released.
 */
const plan: PlanRehome<Taking, Asked> = (failed, groups, others) =>
  planMoves(failed, groups, others, undefined, ANY_TIME);

/**
 * With the copies alone that are fresh at `at` on others of the labscape. Without such a copy it is asked about as if it
 * had no data: it would wait for them whatever room there is, and want room anywhere once a copy is there.
 */
const askedAt = (group: Held, at: number, labscape: ReadonlySet<string>): Asked => {
  if (group.data === undefined) return group;
  const fresh = new Set(freshCopies(group, at));
  const { required } = group.data;
  const copies = group.data.copies.filter(
    ({ resource }) => resource !== group.resource && labscape.has(resource) && fresh.has(resource),
  );
  const data = copies.length === 0 ? undefined : { required, copies };
  return { ...group, data, places: JSON.stringify(data?.copies ?? []) };
};

/** What an admission would leave on one resource. */
export interface ReserveChange {
  readonly resource: FleetResource;
  readonly groups: (held: readonly Held[]) => readonly Held[];
}

/** Groups of a resource, as they were read for its mark; `until`: they say so much about copies, epoch ms. */
interface Read {
  readonly mark: string;
  readonly until: number;
  readonly groups: readonly Held[];
}

/** One labscape's groups as last read, and what is known of its failures. */
class ReserveBook {
  readonly #check = new ReserveCheck<Taking, Asked>(plan, GROUPS_HELD_MAX);
  readonly #groups = new Map<string, Read>();
  readonly #revisions = new Revisions();

  async decide(
    runtime: Runtime,
    mode: NonNullable<Policy['reserve']>,
    now: readonly FleetResource[],
    changes: readonly ReserveChange[],
  ): Promise<ReserveDecision> {
    const at = runtime.clock.now();
    await this.#read(runtime, now, at);
    const ids = new Set(now.map(({ id }) => id));
    const survives = (resources: readonly FleetResource[], groups: readonly Held[]): Survival =>
      this.#check.survives(
        resources.map((one) => this.#taking(one)),
        groups.map((group) => askedAt(group, at, ids)),
      );
    const byId = new Map(changes.map((change) => [change.resource.id, change]));
    const then = survives(
      now.map((one) => byId.get(one.id)?.resource ?? one),
      now.flatMap(({ id }) => byId.get(id)?.groups(this.#of(id)) ?? this.#of(id)),
    );
    if (then.kind === 'survives') return { kind: 'ok' };
    const before = survives(
      now,
      now.flatMap(({ id }) => this.#of(id)),
    );
    return decideReserve(mode, then, before);
  }

  #of(id: string): readonly Held[] {
    return this.#groups.get(id)?.groups ?? [];
  }

  /**
   * Groups of resources that are not as they were: each allocation changes one, so one read is of few items. A word about
   * copies of data changes none: those are read again from time to time.
   */
  async #read(runtime: Runtime, now: readonly FleetResource[], at: number): Promise<void> {
    const marks = new Map(now.map((one) => [one.id, loadMark(one)]));
    const changed = now.filter(({ id }) => {
      const known = this.#groups.get(id);
      return known === undefined || known.mark !== marks.get(id) || known.until < at;
    });
    const ids = changed.flatMap((resource) => resource.groups.map(({ group }) => group));
    const read = ids.length === 0 ? [] : await readGroups(runtime.store, ids);
    for (const { id } of changed) {
      const groups = read.flatMap((group) =>
        group.status === 'placed' && group.resource === id ? [{ ...group, resource: id }] : [],
      );
      this.#groups.set(id, { mark: marks.get(id) ?? '', until: copiesReadUntil(groups, at), groups });
    }
    for (const id of this.#groups.keys()) if (!marks.has(id)) this.#groups.delete(id);
  }

  #taking(resource: FleetResource): Taking {
    // A failover may use all of what came back lately, if it must: what its plan leaves over is placed by the limit. While
    // that lasts its groups may lie otherwise; the reserve is for what comes after, too.
    const revision = this.#revisions.of(resource);
    return { ...resource, eased: undefined, held: resource.groups.length, revision };
  }
}

const books = new WeakMap<Runtime, Map<string, ReserveBook>>();

const bookOf = (runtime: Runtime, labscape: string): ReserveBook => {
  const own = books.get(runtime) ?? new Map<string, ReserveBook>();
  books.set(runtime, own);
  const book = own.get(labscape) ?? new ReserveBook();
  own.set(labscape, book);
  return book;
};

const OK: ReserveDecision = { kind: 'ok' };

/**
 * Whether after an admission any one resource of the labscape could still fail, all its groups finding room on the
 * labscape's others: planned as a recovery would, on the picture of the fleet. Costs nothing unless the labscape fills by
 * n+1. Others who place at the same moment are not seen; the fills, which conditions keep, bound what that can spoil.
 */
export const reserveAfter = async (
  runtime: Runtime,
  labscape: string,
  changes: readonly ReserveChange[],
): Promise<ReserveDecision> => {
  const policy = runtime.fleet.policyOf(labscape);
  if (policy?.fill !== 'n+1') return OK;
  const { resources } = await runtime.fleet.snapshot();
  const now = resources.filter((one) => one.labscape === labscape && one.status !== 'retired');
  return bookOf(runtime, labscape).decide(runtime, policy.reserve ?? 'warn', now, changes);
};

/** The groups of a resource with one more member in one of them, or with one that is born for it. */
export const withMember =
  (draft: Draft, membership: Membership, resource: string): ReserveChange['groups'] =>
  (held) => {
    if (membership.kind === 'birth') return [...held, { ...membership.group, resource }];
    return held.map((group) =>
      group.id === membership.group
        ? { ...group, count: group.count + 1, demand: add(group.demand, draft.demand) }
        : group,
    );
  };
