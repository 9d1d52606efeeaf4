import type { Vector } from '../schemas/common.ts';
import type { ReserveMode } from '../schemas/labscape.ts';
import { mapVector, subtract, sum, within, ZERO } from '../vector.ts';

/** A resource as the check sees it. `revision` moves on with whatever else a plan may look at: labels, status, cfg. */
export interface ReserveResource {
  readonly id: string;
  readonly limit: Vector;
  readonly used: Vector;
  readonly held: number;
  readonly revision: number;
}

export interface ReserveGroup {
  readonly id: string;
  readonly resource: string;
  readonly epoch: number;
  readonly demand: Vector;
  /** Of work with data, where it may or would go: another word, other places. */
  readonly places?: string | undefined;
}

/** What the planner of a failover answers: moves, and what fits nowhere with its reason. */
export interface RehomePlan {
  readonly moves: readonly { readonly group: Rehomed; readonly to: string }[];
  readonly unplaced: readonly { readonly group: Rehomed; readonly reason: string }[];
}
type Rehomed = Pick<ReserveGroup, 'id' | 'demand'>;

/** The planner that a recovery would use, on the groups of a resource that failed and all other resources. */
export type PlanRehome<R, G> = (failed: R, groups: readonly G[], others: readonly R[]) => RehomePlan;

/** A resource whose failure the others would not hold. */
export interface NotRehomed {
  readonly resource: string;
  /** Demand that would wait. */
  readonly lacking: Vector;
  readonly groups: readonly { readonly group: string; readonly reason: string }[];
}

/** Fleets whose every single failure can be re-homed; else which failures cannot be, by id. */
export type Survival =
  | { readonly kind: 'survives' }
  | { readonly kind: 'lacks'; readonly failures: readonly NotRehomed[] };

/** What a target would gain. */
interface Gain {
  readonly demand: Vector;
  readonly groups: number;
}
/** By target. */
export type Gains = ReadonlyMap<string, Gain>;

interface Answer {
  /** Of a failure that was re-homed, what each target would gain: the proof that it fits. */
  readonly gains: Gains;
  readonly lacks: NotRehomed | undefined;
}

interface Known<R, G> {
  readonly resource: R;
  readonly groups: readonly G[];
  answer: Answer | undefined;
}

const byId = (a: { readonly id: string }, b: { readonly id: string }): number => (a.id < b.id ? -1 : 1);

const sameGroups = (a: readonly ReserveGroup[], b: readonly ReserveGroup[]): boolean =>
  a.length === b.length &&
  a.every(({ id, epoch, demand, places }, i) => {
    const other = b[i];
    return (
      other?.id === id &&
      other.epoch === epoch &&
      other.places === places &&
      within(other.demand, demand) &&
      within(demand, other.demand)
    );
  });

/** What each target of these moves takes over, all together. */
export const gainsOf = (moves: RehomePlan['moves']): Gains => {
  const gains = new Map<string, { demand: Vector; groups: number }>();
  for (const { group, to } of moves) {
    const gain = gains.get(to);
    gains.set(to, {
      demand: sum([gain?.demand ?? group.demand, ...(gain === undefined ? [] : [group.demand])]),
      groups: (gain?.groups ?? 0) + 1,
    });
  }
  return gains;
};

/** Whether a target still has room for that, in what it would gain something of, and for that many groups. */
export const hasRoom = (
  bound: Vector,
  { used, held }: Pick<ReserveResource, 'used' | 'held'>,
  gain: Gain,
  heldMax: number,
): boolean => {
  const room = subtract(bound, used);
  const asked = mapVector((d) => (gain.demand[d] > 0 ? gain.demand[d] - room[d] : 0));
  return within(asked, ZERO) && held + gain.groups <= heldMax;
};

/**
 * The exact n+1 check: every single failure is planned with the planner a recovery would use, so what it says of a
 * failure is what would happen now. Incremental: a failure is planned anew only when its answer may have changed. A
 * plan that re-homed everything is a proof; it stands while its own groups are the same and each of its targets still
 * has the room and is otherwise as it was. A failure that lacks something is planned anew whenever anything changed.
 *
 * A planner that is no exact packer (first-fit decreasing) may fail where a perfect one would not; the answer is then
 * that it lacks, which is true of the recovery that would run.
 */
export class ReserveCheck<R extends ReserveResource, G extends ReserveGroup> {
  readonly #plan: PlanRehome<R, G>;
  readonly #heldMax: number;
  #known = new Map<string, Known<R, G>>();
  /** Plans made since the check was made: what it costs. */
  planned = 0;

  /** `heldMax`: most groups a resource may hold after a failover. */
  constructor(plan: PlanRehome<R, G>, heldMax: number) {
    this.#plan = plan;
    this.#heldMax = heldMax;
  }

  /** Resources that take part, with all groups that are on them; the answers stand in the order of ids. */
  survives(resources: readonly R[], groups: readonly G[]): Survival {
    const before = this.#known;
    const after = new Map<string, Known<R, G>>();
    const grouped = Map.groupBy(groups, ({ resource }) => resource);
    for (const resource of [...resources].sort(byId))
      after.set(resource.id, {
        resource,
        groups: [...(grouped.get(resource.id) ?? [])].sort(byId),
        answer: undefined,
      });
    const changed = [...after.values()].some((known) => this.#differs(before.get(known.resource.id), known));
    const quiet = !changed && before.size === after.size;
    this.#known = after;
    const failures: NotRehomed[] = [];
    for (const known of after.values()) {
      const old = before.get(known.resource.id);
      known.answer = this.#stillHolds(before, after, old, known, quiet) ? old?.answer : this.#ask(known);
      if (known.answer?.lacks !== undefined) failures.push(known.answer.lacks);
    }
    return failures.length === 0 ? { kind: 'survives' } : { kind: 'lacks', failures };
  }

  #differs(old: Known<R, G> | undefined, { resource, groups }: Known<R, G>): boolean {
    if (old === undefined) return true;
    const { limit, used, held, revision } = old.resource;
    return (
      revision !== resource.revision ||
      held !== resource.held ||
      !within(limit, resource.limit) ||
      !within(resource.limit, limit) ||
      !within(used, resource.used) ||
      !within(resource.used, used) ||
      !sameGroups(old.groups, groups)
    );
  }

  #stillHolds(
    before: ReadonlyMap<string, Known<R, G>>,
    after: ReadonlyMap<string, Known<R, G>>,
    old: Known<R, G> | undefined,
    now: Known<R, G>,
    quiet: boolean,
  ): boolean {
    if (old?.answer === undefined) return false;
    if (quiet) return true;
    if (old.answer.lacks !== undefined || old.resource.revision !== now.resource.revision) return false;
    if (!sameGroups(old.groups, now.groups)) return false;
    for (const [id, gain] of old.answer.gains) {
      const [then, target] = [before.get(id)?.resource, after.get(id)?.resource];
      if (then === undefined || target === undefined || then.revision !== target.revision) return false;
      if (!hasRoom(target.limit, target, gain, this.#heldMax)) return false;
    }
    return true;
  }

  #ask({ resource, groups }: Known<R, G>): Answer {
    const others = [...this.#known.values()].flatMap((known) =>
      known.resource === resource ? [] : [known.resource],
    );
    if (groups.length === 0) return { gains: new Map(), lacks: undefined };
    this.planned += 1;
    const { moves, unplaced } = this.#plan(resource, groups, others);
    const lacks: NotRehomed = {
      resource: resource.id,
      lacking: sum(unplaced.map(({ group }) => group.demand)),
      groups: unplaced.map(({ group, reason }) => ({ group: group.id, reason })),
    };
    return { gains: gainsOf(moves), lacks: unplaced.length === 0 ? undefined : lacks };
  }
}

/** The check for one look at a fleet. */
export const survives = <R extends ReserveResource, G extends ReserveGroup>(
  resources: readonly R[],
  groups: readonly G[],
  plan: PlanRehome<R, G>,
): Survival => new ReserveCheck<R, G>(plan, Number.POSITIVE_INFINITY).survives(resources, groups);

export type ReserveDecision =
  | { readonly kind: 'ok' }
  | { readonly kind: 'warn'; readonly reason: string }
  | { readonly kind: 'refuse'; readonly reason: string };

const quantities = ({ processing, memory, storage, network }: Vector): string =>
  `processing ${processing}, memory ${memory}, storage ${storage}, network ${network}`;

/**
 * The decision on one admission, from the survival of the fleet as it would be afterwards. `before` is that of the
 * fleet as it is: what already lacks without this admission is not its fault, so only new failures count.
 */
export const decideReserve = (mode: ReserveMode, after: Survival, before?: Survival): ReserveDecision => {
  if (after.kind === 'survives') return { kind: 'ok' };
  const known = new Map(
    before?.kind === 'lacks' ? before.failures.map((one) => [one.resource, one.lacking] as const) : [],
  );
  const worse = after.failures.find(({ resource, lacking }) => {
    const was = known.get(resource);
    return was === undefined || !within(lacking, was);
  });
  if (worse === undefined) return { kind: 'ok' };
  const reason = `if ${worse.resource} failed, ${worse.groups.length} of its groups would wait: ${quantities(worse.lacking)} is lacking`;
  return { kind: mode, reason };
};

/** Such a sentence, or one that holds it, for who may not see resources. */
export const withoutNames = (text: string): string =>
  text.replace(/\bif [a-z0-9-]{1,40} failed,/, 'if one of its resources failed,');
