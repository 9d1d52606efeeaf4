import type { Candidate, Eased } from '../allocation/candidate.ts';
import { FleetIndex } from '../allocation/fleet-index.ts';
import { WEIGHT_DEFAULT } from '../allocation/index/cells.ts';
import { shareOfBound } from '../allocation/limits.ts';
import { STRATEGIES } from '../allocation/strategies/registry.ts';
import type { Strategy } from '../allocation/strategy.ts';
import { strategyFor } from '../allocation/strategy-rule.ts';
import type { Clock } from '../clock.ts';
import { returningAt } from '../health/returning.ts';
import { weightAt } from '../optimisation/pace.ts';
import type { Constraints } from '../schemas/allocation.ts';
import type { Policy } from '../schemas/labscape.ts';
import type { StrategyName } from '../schemas/strategy.ts';
import { quarantinedLabscapes, type Restriction } from '../security/threat/board.ts';
import { readBoard } from '../store/access/board.ts';
import { allLabscapes, type LabscapeRecord } from '../store/fleet/labscapes.ts';
import { locate, type ResourceRecord, resourcesOfEach } from '../store/fleet/resources.ts';
import type { Store } from '../store/store.ts';
import { equals } from '../vector.ts';

/** A resource with what placement must know of its labscape. */
export type FleetResource = ResourceRecord &
  Pick<Candidate, 'residency' | 'weight' | 'eased' | 'quarantined'>;

export interface FleetSnapshot {
  /** When the oldest of its lists was read, monotonic ms. */
  readonly at: number;
  readonly labscapes: ReadonlyMap<string, LabscapeRecord>;
  readonly resources: readonly FleetResource[];
}

/** Refresh rule: a snapshot older than this is read anew before it is used for a decision, ms. */
export const SNAPSHOT_AGE_MAX_MS = 1_000;

/**
 * The fleet as this warm function last saw it, own commits applied. It only proposes: the conditions of each write
 * decide. One refresh costs a Query per shard of each labscape whose list is too old, and a read of the responses in
 * force; `reads` counts them.
 */
export class Fleet {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #located = new Map<string, string>();
  /** Groups that refused a new member: not tried again. */
  readonly #full = new Set<string>();
  /** The resources as placement looks at them. */
  readonly index = new FleetIndex();
  readonly #strategies = new Map<StrategyName, Strategy>();
  #resources: FleetResource[] = [];
  #positions = new Map<string, number>();
  #labscapes: ReadonlyMap<string, LabscapeRecord> = new Map();
  /** Responses to incidents, and the labscapes that placement brings nothing to for them. */
  #restrictions: readonly Restriction[] = [];
  #quarantined: ReadonlySet<string> = new Set();
  /** When each labscape's list was read, monotonic ms. */
  readonly #listedAt = new Map<string, number>();
  #labscapesAt = Number.NEGATIVE_INFINITY;
  #loading: Promise<void> | undefined;
  reads = 0;

  constructor(store: Store, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** A snapshot at most `ageMaxMs` old: lists that are younger are not read again. */
  async snapshot(ageMaxMs = SNAPSHOT_AGE_MAX_MS): Promise<FleetSnapshot> {
    const oldest = this.#clock.monotonicMs() - ageMaxMs;
    if (this.#listed() < oldest) {
      this.#loading ??= this.#load(oldest).finally(() => {
        this.#loading = undefined;
      });
      await this.#loading;
    }
    return { at: this.#listed(), labscapes: this.#labscapes, resources: this.#resources };
  }

  /** When the oldest list was read; never where there is a labscape without one. */
  #listed(): number {
    const at = [...this.#labscapes.keys()].map((id) => this.#listedAt.get(id) ?? Number.NEGATIVE_INFINITY);
    return at.length === 0 ? this.#labscapesAt : Math.min(...at);
  }

  async #load(oldest: number): Promise<void> {
    const at = this.#clock.monotonicMs();
    const [labscapes] = await Promise.all([allLabscapes(this.#store), this.#lookAtBoard()]);
    const isOld = (id: string, since: number) => (this.#listedAt.get(id) ?? Number.NEGATIVE_INFINITY) < since;
    const old = labscapes.filter(({ id }) => isOld(id, oldest));
    const read = await resourcesOfEach(
      this.#store,
      old.map(({ id }) => id),
    );
    this.reads += 1;
    // A list that was taken in meanwhile is newer than what was read.
    const lists = new Map(
      old.flatMap(({ id }, index) => (isOld(id, at) ? [[id, read[index] ?? []] as const] : [])),
    );
    for (const id of lists.keys()) this.#listedAt.set(id, at);
    this.#takeLabscapes(labscapes, at);
    const known = Map.groupBy(this.#resources, ({ labscape }) => labscape);
    this.#resources = labscapes.flatMap(({ id }) => {
      const list = lists.get(id);
      return list === undefined
        ? (known.get(id) ?? []).map((each) => this.atHome(each))
        : list.map((each) => this.#newer(each));
    });
    this.#positions = new Map(this.#resources.map((r, index) => [r.id, index]));
    for (const resource of this.#resources) {
      this.#located.set(resource.id, resource.labscape);
      this.index.put(resource);
    }
    for (const id of this.index.ids()) if (!this.#positions.has(id)) this.index.remove(id);
    if (this.#full.size > FULL_GROUPS_MAX) this.#full.clear();
  }

  /** An own commit that came in while the lists were read is newer than they are. */
  #newer(read: ResourceRecord): FleetResource {
    const known = this.seen(read.id);
    return this.atHome(
      known !== undefined && known.assignmentRevision > read.assignmentRevision ? known : read,
    );
  }

  /** A labscape's whole list, read for another purpose: it need not be read again while it is young. */
  takeList(labscape: string, list: readonly ResourceRecord[], at: number): void {
    for (const resource of list) {
      if (!this.#positions.has(resource.id)) {
        this.#positions.set(resource.id, this.#resources.length);
        this.#resources.push(resource);
        this.#located.set(resource.id, labscape);
      }
      this.learn(resource);
    }
    // Of what is gone the next refresh learns, which reads the list.
    if (this.countOf(labscape) === list.length) this.#listedAt.set(labscape, at);
  }

  /** A board that cannot be read stays as it was: no snapshot fails for it, and no response is lifted by it. */
  async #lookAtBoard(): Promise<void> {
    const { restrictions } = await readBoard(this.#store, false).catch(() => ({
      restrictions: this.#restrictions,
    }));
    this.#restrictions = restrictions;
    this.#quarantined = quarantinedLabscapes(restrictions, this.#clock.now());
  }

  #takeLabscapes(labscapes: readonly LabscapeRecord[], at: number): void {
    this.#labscapes = new Map(labscapes.map((l) => [l.id, l]));
    this.#labscapesAt = at;
  }

  /** A labscape, read anew when it is not known yet; its resources are not, for they are many. */
  async labscape(id: string): Promise<LabscapeRecord | undefined> {
    const at = this.#clock.monotonicMs();
    const isYoung = at - this.#labscapesAt <= LABSCAPE_AGE_MAX_MS;
    if (!isYoung || !this.#labscapes.has(id)) this.#takeLabscapes(await allLabscapes(this.#store), at);
    return this.#labscapes.get(id);
  }

  /** Resources of a labscape as last seen; no read. */
  countOf(labscape: string): number {
    let count = 0;
    for (const resource of this.#resources) if (resource.labscape === labscape) count += 1;
    return count;
  }

  /** The labscape a resource is in; never changes, so it is remembered for good. */
  async labscapeOf(resource: string): Promise<string | undefined> {
    const known = this.#located.get(resource);
    if (known !== undefined) return known;
    const labscape = await locate(this.#store, resource);
    if (labscape !== undefined) this.#located.set(resource, labscape);
    return labscape;
  }

  /** Takes a newer picture of one resource: an own commit, or what a failed condition gave back. */
  learn(resource: ResourceRecord): void {
    const position = this.#positions.get(resource.id);
    if (position === undefined) return;
    const known = this.atHome(resource);
    this.#resources[position] = known;
    this.index.put(known);
  }

  /** The strategy of that name, which keeps what it has learnt as long as this fleet lives. */
  strategy(name: StrategyName): Strategy {
    const strategy = this.#strategies.get(name) ?? STRATEGIES[name](this.index);
    this.#strategies.set(name, strategy);
    return strategy;
  }

  /** As last seen; no read. */
  policyOf(labscape: string): Policy | undefined {
    return this.#labscapes.get(labscape)?.policy;
  }

  /** The one that the rule names for a demand, see allocation/strategy-rule.ts. */
  strategyFor(asked: StrategyName | undefined, constraints: Constraints): Strategy {
    return this.strategy(strategyFor(asked, constraints, this.#labscapes.values()));
  }

  /**
   * With what its labscape, and the time, make of it for placement. Most labscapes say nothing of where they keep data, and
   * weigh what all do, and most resources have long been here: then nothing is copied.
   */
  atHome(resource: FleetResource): FleetResource {
    const home = this.#labscapes.get(resource.labscape);
    const residency = home?.residency;
    const adapted = weightOf(home, resource);
    const weight = adapted === WEIGHT_DEFAULT ? undefined : adapted;
    const eased = this.#easedOf(home, resource);
    const quarantined = this.#quarantined.has(resource.labscape) ? true : undefined;
    const same =
      residency === resource.residency &&
      weight === resource.weight &&
      eased === resource.eased &&
      quarantined === resource.quarantined;
    return same ? resource : { ...resource, residency, weight, eased, quarantined };
  }

  /** As it is known already where the share is the same: the index looks at what is another object. */
  #easedOf(home: LabscapeRecord | undefined, resource: FleetResource): Eased | undefined {
    const { returnedAt, limit, fill } = resource;
    if (home === undefined || returnedAt === undefined) return undefined;
    const share = returningAt(returnedAt, this.#clock.now(), home.policy)?.share;
    if (share === undefined) return undefined;
    const seen = resource.eased ?? this.seen(resource.id)?.eased;
    const eased = { share, limit: shareOfBound(limit, share), fill: shareOfBound(fill, share) };
    const same =
      seen !== undefined &&
      seen.share === share &&
      equals(seen.limit, eased.limit) &&
      equals(seen.fill, eased.fill);
    return same ? seen : eased;
  }

  /** The resource as last seen. */
  seen(id: string): FleetResource | undefined {
    const position = this.#positions.get(id);
    return position === undefined ? undefined : this.#resources[position];
  }

  markFull(group: string): void {
    this.#full.add(group);
  }

  isFull(group: string): boolean {
    return this.#full.has(group);
  }
}

/** The labscape's, adapted to the resource's pace where its policy says so. */
const weightOf = (home: LabscapeRecord | undefined, { pace = 0 }: ResourceRecord): number =>
  home === undefined
    ? WEIGHT_DEFAULT
    : weightAt(home.weight, home.policy.adaptiveWeights === true ? pace : 0);

/** Policies may be this old where they only set a pace, ms. */
const LABSCAPE_AGE_MAX_MS = 5_000;
const FULL_GROUPS_MAX = 10_000;
