import { ProblemError } from '../../errors.ts';
import type { Source } from '../../failover/joint-plan.ts';
import type { FailoverPlan } from '../../failover/plan.ts';
import { type QuotedSource, quoteOf } from '../../failover/quote.ts';
import { objectionsTo } from '../../failover/rules.ts';
import type { Quote } from '../../schemas/quote.ts';
import type { SeenLabscape } from '../../schemas/rule.ts';
import { type BeatRecord, readManyBeats } from '../../store/fleet/heartbeats.ts';
import type { ResourceRecord } from '../../store/fleet/resources.ts';
import { type GroupRecord, readGroups } from '../../store/placement/groups.ts';
import type { FleetSnapshot } from '../fleet.ts';
import type { Runtime } from '../runtime.ts';
import { factsOf, seenFleet } from './decision-facts.ts';
import { fenceWaitMs } from './fence-wait.ts';
import type { GracefulPlan } from './graceful-plan.ts';
import { overridesFor } from './overrides.ts';
import { planMoves, planMovesTogether } from './plan-moves.ts';

/** A resource with the groups it owns, read consistently. */
export interface Held {
  readonly resource: ResourceRecord;
  readonly groups: readonly GroupRecord[];
}

/** With the groups that it really owns: its own list may name one that has moved or closed. */
export const holdingsOf = async (runtime: Runtime, resource: ResourceRecord): Promise<Held> => {
  const groups = await readGroups(
    runtime.store,
    resource.groups.map(({ group }) => group),
  );
  return { resource, groups: groups.filter(isOwnedBy(resource)) };
};

const isOwnedBy =
  ({ id }: Pick<ResourceRecord, 'id'>) =>
  (group: GroupRecord): boolean =>
    group.resource === id && group.status === 'placed';

export const asSource = ({ resource, groups }: Held): Source => ({
  ...{ id: resource.id, capacity: resource.capacity, groups },
});

/** What one recovery would meet: what the rules say to it, and how long its fence would wait. */
const sourceOf = async (
  runtime: Runtime,
  { resource, groups }: Held,
  snapshot: FleetSnapshot,
  beats: ReadonlyMap<string, BeatRecord>,
  seen: ReadonlyMap<string, SeenLabscape>,
): Promise<QuotedSource> => {
  const now = runtime.clock.now();
  const labscape = await runtime.fleet.labscape(resource.labscape);
  if (labscape === undefined)
    throw new ProblemError('not-found', `labscape ${resource.labscape} is not known`);
  const facts = factsOf(snapshot, labscape, resource, 'detector', now, seen.get(labscape.id));
  const objections = objectionsTo(facts);
  const heard = beats.get(resource.labscape);
  const question = { resource: resource.id, trigger: 'detector', now } as const;
  return {
    resource: resource.id,
    epoch: resource.epoch,
    // Most of the time nothing objects, and nobody need be asked what is set aside.
    objections: objections.length === 0 ? [] : objectionsTo(facts, await overridesFor(runtime, resource)),
    fenceWaitMs: heard === undefined ? 0 : fenceWaitMs(labscape, heard, question),
    groups,
  };
};

/** Where everything of these goes, by the code that recoveries of all of them would use. */
const planOf = (held: readonly Held[], fleet: FleetSnapshot['resources'], now: number): FailoverPlan => {
  const [first] = held;
  if (first === undefined) return { moves: [], unplaced: [], targets: [] };
  return held.length === 1
    ? planMoves(first.resource, first.groups, fleet, undefined, now)
    : planMovesTogether(held.map(asSource), fleet, now);
};

/**
 * The quote of what is held, on that picture of the fleet: what recoveries of all of them at once would do. `grace`: what
 * goes before, while they still run; the recoveries would move the rest.
 */
export const quoteHeld = async (
  runtime: Runtime,
  held: readonly Held[],
  snapshot: FleetSnapshot,
  grace?: GracefulPlan,
): Promise<Quote> => {
  const labscapes = [...new Set(held.map(({ resource }) => resource.labscape))];
  const [records, seen] = await Promise.all([
    readManyBeats(runtime.store, labscapes),
    seenFleet(runtime, snapshot),
  ]);
  const beats = new Map(records.map((record, at) => [labscapes[at] ?? '', record]));
  const sources = await Promise.all(held.map((one) => sourceOf(runtime, one, snapshot, beats, seen)));
  const now = runtime.clock.now();
  if (grace === undefined) return quoteOf(sources, planOf(held, snapshot.resources, now), now);
  const gone = new Set(grace.moves.map(({ group }) => group.id));
  const left = held.map(({ resource, groups }) => ({
    resource,
    groups: groups.filter(({ id }) => !gone.has(id)),
  }));
  const { others } = grace;
  const plan = planOf(left, others, now);
  const used = new Set([...grace.moves, ...plan.moves].map(({ to }) => to));
  const all = {
    moves: [...grace.moves, ...plan.moves],
    unplaced: plan.unplaced,
    targets: others.filter(({ id }) => used.has(id)),
  };
  return quoteOf(sources, all, now, gone);
};
