import { GROUPS_HELD_MAX } from '../../allocation/groups.ts';
import { decideReserve, ReserveCheck, type ReserveDecision } from '../../allocation/reserve-check.ts';
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

/** What an admission would leave on one resource. */
export interface ReserveChange {
  readonly resource: FleetResource;
  readonly groups: (held: readonly Held[]) => readonly Held[];
}

/** One labscape's groups as last read, and what is known of its failures. */
class ReserveBook {
  readonly #check = new ReserveCheck<Taking, Held>(planMoves, GROUPS_HELD_MAX);
  readonly #groups = new Map<string, { readonly mark: string; readonly groups: readonly Held[] }>();
  readonly #revisions = new Revisions();

  async decide(
    runtime: Runtime,
    mode: NonNullable<Policy['reserve']>,
    now: readonly FleetResource[],
    changes: readonly ReserveChange[],
  ): Promise<ReserveDecision> {
    await this.#read(runtime, now);
    const byId = new Map(changes.map((change) => [change.resource.id, change]));
    const after = now.map((one) => this.#taking(byId.get(one.id)?.resource ?? one));
    const groups = now.flatMap(({ id }) => byId.get(id)?.groups(this.#of(id)) ?? this.#of(id));
    const then = this.#check.survives(after, groups);
    if (then.kind === 'survives') return { kind: 'ok' };
    const before = this.#check.survives(
      now.map((one) => this.#taking(one)),
      now.flatMap(({ id }) => this.#of(id)),
    );
    return decideReserve(mode, then, before);
  }

  #of(id: string): readonly Held[] {
    return this.#groups.get(id)?.groups ?? [];
  }

  /** Groups of resources that are not as they were: each allocation changes one, so one read is of few items. */
  async #read(runtime: Runtime, now: readonly FleetResource[]): Promise<void> {
    const marks = new Map(now.map((one) => [one.id, loadMark(one)]));
    const changed = now.filter(({ id }) => this.#groups.get(id)?.mark !== marks.get(id));
    const ids = changed.flatMap((resource) => resource.groups.map(({ group }) => group));
    const read = ids.length === 0 ? [] : await readGroups(runtime.store, ids);
    for (const { id } of changed) {
      const groups = read.flatMap((group) =>
        group.status === 'placed' && group.resource === id ? [{ ...group, resource: id }] : [],
      );
      this.#groups.set(id, { mark: marks.get(id) ?? '', groups });
    }
    for (const id of this.#groups.keys()) if (!marks.has(id)) this.#groups.delete(id);
  }

  #taking(resource: FleetResource): Taking {
    // A failover may use all of what came back lately, if it must.
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
