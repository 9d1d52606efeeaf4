import { ProblemError } from '../../errors.ts';
import type { Source } from '../../failover/joint-plan.ts';
import { type QuotedSource, quoteOf } from '../../failover/quote.ts';
import { objectionsTo } from '../../failover/rules.ts';
import { QUOTED_MAX, type Quote, type QuoteInput } from '../../schemas/quote.ts';
import type { SeenLabscape } from '../../schemas/rule.ts';
import { type BeatRecord, readManyBeats } from '../../store/fleet/heartbeats.ts';
import type { ResourceRecord } from '../../store/fleet/resources.ts';
import { type GroupRecord, readGroups } from '../../store/placement/groups.ts';
import type { FleetSnapshot } from '../fleet.ts';
import { getResource } from '../registry/resources.ts';
import type { Runtime } from '../runtime.ts';
import { factsOf, seenFleet } from './decision-facts.ts';
import { fenceWaitMs } from './fence-wait.ts';
import { overridesFor } from './overrides.ts';
import { planMoves, planMovesTogether } from './plan-moves.ts';

/** A resource with the groups it owns, read consistently. */
export interface Held {
  readonly resource: ResourceRecord;
  readonly groups: readonly GroupRecord[];
}

/** Raises invalid-input (more resources than one quote may hold), not-found. */
const namedBy = async (
  runtime: Runtime,
  { resources, labscape }: QuoteInput,
): Promise<readonly ResourceRecord[]> => {
  const wanted = new Set(resources);
  if (labscape !== undefined) {
    const { labscapes, resources: fleet } = await runtime.fleet.snapshot(0);
    if (!labscapes.has(labscape)) throw new ProblemError('not-found', `no labscape ${labscape} has joined`);
    for (const one of fleet) if (one.labscape === labscape && one.groups.length > 0) wanted.add(one.id);
  }
  if (wanted.size > QUOTED_MAX)
    throw new ProblemError(
      'invalid-input',
      `${wanted.size} resources with work are named, a quote plans for ${QUOTED_MAX}: name fewer`,
    );
  return Promise.all([...wanted].map((id) => getResource(runtime, id)));
};

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

/** The quote of what is held, on that picture of the fleet: what recoveries of all of them at once would do. */
export const quoteHeld = async (
  runtime: Runtime,
  held: readonly Held[],
  snapshot: FleetSnapshot,
): Promise<Quote> => {
  const labscapes = [...new Set(held.map(({ resource }) => resource.labscape))];
  const [records, seen] = await Promise.all([
    readManyBeats(runtime.store, labscapes),
    seenFleet(runtime, snapshot),
  ]);
  const beats = new Map(records.map((record, at) => [labscapes[at] ?? '', record]));
  const sources = await Promise.all(held.map((one) => sourceOf(runtime, one, snapshot, beats, seen)));
  const now = runtime.clock.now();
  const [first] = held;
  if (first === undefined) return quoteOf([], { moves: [], unplaced: [], targets: [] }, now);
  if (held.length === 1)
    return quoteOf(sources, planMoves(first.resource, first.groups, snapshot.resources, undefined, now), now);
  return quoteOf(sources, planMovesTogether(held.map(asSource), snapshot.resources, now), now);
};

/** What recovering these resources now would do, and what the rules say to it. Changes nothing. */
export const quote = async (runtime: Runtime, input: QuoteInput): Promise<Quote> => {
  const resources = await namedBy(runtime, input);
  const [held, snapshot] = await Promise.all([
    Promise.all(resources.map((resource) => holdingsOf(runtime, resource))),
    runtime.fleet.snapshot(0),
  ]);
  return quoteHeld(runtime, held, snapshot);
};
