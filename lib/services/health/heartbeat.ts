import type * as z from 'zod';
import { ProblemError } from '../../errors.ts';
import { isAhead, isBehind, leftAsOf } from '../../failover/fencing.ts';
import { learn, type Pulse } from '../../health/detector.ts';
import { isOvertaken } from '../../health/overtaken.ts';
import { mayRun } from '../../health/resource-status.ts';
import type { HeartbeatAnswer, HeartbeatInput } from '../../schemas/heartbeat.ts';
import { shown } from '../../schemas/text.ts';
import {
  type BeatRecord,
  type Probed,
  readBeats,
  readManyBeats,
  writeBeats,
} from '../../store/fleet/heartbeats.ts';
import type { LabscapeRecord } from '../../store/fleet/labscapes.ts';
import { putLeftBack } from '../../store/fleet/report-writes.ts';
import { type ResourceRecord, readResources, resourcesOf } from '../../store/fleet/resources.ts';
import { RESOURCE_SHARDS } from '../../store/keys.ts';
import { SNAPSHOT_AGE_MAX_MS } from '../fleet.ts';
import { notePaces, pacesOf } from '../rebalancing/paces.ts';
import type { Runtime } from '../runtime.ts';
import { wordChanges } from './degraded-words.ts';
import { type Heard, hear, heardNow, leaseEndMs } from './hearing.ts';
import { isLookDue, type Look, lookOf } from './look-around.ts';
import { OWN_SIGHT, sightOf } from './sight.ts';
import { judgeLabscape } from './verdicts.ts';

/** A list of the whole labscape costs as much as reading this share of it one by one, and a read per shard. */
const LIST_SHARE = 1 / 4;

/** One agent has less than this on their way at once; each that loses has let another in. */
const TRIES_MAX = 16;

const lastLooks = new WeakMap<Runtime, Look>();

/** Takes a batch in, answers with leases and orders, and judges everybody whose evidence is at hand. */
export const beat = async (
  runtime: Runtime,
  labscapeId: string,
  input: z.infer<typeof HeartbeatInput>,
  requestId: string,
): Promise<HeartbeatAnswer> => {
  const labscape = await runtime.fleet.labscape(labscapeId);
  if (labscape === undefined) throw new ProblemError('not-found', `no labscape ${labscapeId} has joined`);
  await refuseStrangers(runtime, labscapeId, input);
  const { beats, pulses, now } = await takeIn(runtime, labscape, input);
  // Read after the beat was written: a fence that is not seen here will see the beat, and wait for its lease.
  const own = await readOwn(runtime, labscapeId, input);
  await Promise.all([
    judgeEverybody(runtime, labscape, own, beats, now, requestId),
    notePaces(runtime, labscape, own, pulses),
  ]);
  const { leaseMs } = labscape.policy;
  const revisions = new Map(input.resources.map((entry) => [entry.resource, entry.assignmentRevision]));
  const carriedOut = (id: string): number => revisions.get(id) ?? 0;
  const seen = await Promise.all(own.map((resource) => inTime(runtime, resource, leaseMs, now)));
  return {
    receivedAt: now,
    beatMs: labscape.policy.beatMs,
    leaseMs,
    resources: seen.map((resource) => ({
      resource: resource.id,
      status: resource.status,
      epoch: resource.epoch,
      assignmentRevision: resource.assignmentRevision,
      leased: mayRun(resource.status) && !isBehind(resource.left, carriedOut(resource.id), leaseMs, now),
    })),
    orders: [...beats.orders],
  };
};

/** With its last move put right where the clock was set back since: else its lease would go on being renewed. */
const inTime = async (
  { store }: Runtime,
  resource: ResourceRecord,
  leaseMs: number,
  now: number,
): Promise<ResourceRecord> => {
  const { left } = resource;
  if (left === undefined || !isAhead(left, now)) return resource;
  const at = leftAsOf(now, leaseMs);
  await putLeftBack(store, resource, left.at, at);
  return { ...resource, left: { ...left, at } };
};

/**
 * Writes the batch into the labscape's item, made anew from it as often as another batch that rewrites the same of it is
 * faster. Throws `replayed-heartbeat`, and `unavailable` where it lost too often.
 */
const takeIn = async (
  runtime: Runtime,
  labscape: LabscapeRecord,
  input: z.infer<typeof HeartbeatInput>,
): Promise<{
  readonly beats: BeatRecord;
  readonly pulses: ReadonlyMap<string, Pulse>;
  readonly now: number;
}> => {
  const { agent, seq } = input;
  let before = await readBeats(runtime.store, labscape.id);
  for (let attempt = 0; attempt < TRIES_MAX; attempt += 1) {
    // After what it is compared with was heard: what was heard last never goes back but with the clock.
    const now = runtime.clock.now();
    // Most never say anything of others: then nothing is to be taken back.
    const unreachable = input.unreachable ?? (before.unreachable.has(agent) ? [] : undefined);
    const probed = probedBy(input, before);
    const pulses = pulsesOf(input, before, labscape, now);
    const batch = { agent, seq, pulses, unreachable, probed, words: wordChanges(input, before, now) };
    const heard = heardNow(before, labscape.policy, now);
    const taken = await writeBeats(runtime.store, before, batch, heard, runtime.packedBeats);
    if (taken.kind === 'done') return { beats: withWords(taken.beats, input), pulses, now };
    if (taken.kind === 'replayed')
      throw new ProblemError(
        'replayed-heartbeat',
        `agent ${agent} has sent seq ${seq} or a greater one before`,
        {
          errors: [{ field: 'seq', reason: 'must be greater than the last one of this agent' }],
          ...(isOvertaken(seq, taken.last, labscape.policy.leaseMs) ? { really: 'conflict' } : {}),
        },
      );
    before = taken.beats;
  }
  throw new ProblemError('unavailable', `batches of agent ${agent} overtake each other: send another`, {
    retryAfterS: 1,
  });
};

/** With what the batch says of resources that failed, for the verdict that it brings; the item has no room for it. */
const withWords = (beats: BeatRecord, { resources }: z.infer<typeof HeartbeatInput>): BeatRecord => {
  const pulses = new Map(beats.pulses);
  for (const { resource, status, reason } of resources) {
    const pulse = pulses.get(resource);
    const word = shown(reason ?? '');
    if (status === 'failed' && pulse !== undefined && word !== '') pulses.set(resource, { ...pulse, word });
  }
  return { ...beats, pulses };
};

/**
 * The batch's resources as they stand. Asked for one by one each costs a read of its own; where a batch speaks for much
 * of its labscape, lists that hold six or so to a read are the cheaper way to the same.
 */
const readOwn = async (
  runtime: Runtime,
  labscape: string,
  { resources }: z.infer<typeof HeartbeatInput>,
): Promise<readonly ResourceRecord[]> => {
  const { store } = runtime;
  const all = runtime.fleet.countOf(labscape);
  if (resources.length <= LIST_SHARE * all + RESOURCE_SHARDS)
    return readResources(
      store,
      resources.map(({ resource: id }) => ({ labscape, id })),
    );
  const named = new Set(resources.map(({ resource }) => resource));
  const at = runtime.clock.monotonicMs();
  const list = await resourcesOf(store, labscape, true);
  runtime.fleet.takeList(labscape, list, at);
  return list.filter(({ id }) => named.has(id));
};

/** What a batch says of others' resources; of its own it says it by beating. */
const probedBy = (
  { agent, resources, reached = [], unreached = [] }: z.infer<typeof HeartbeatInput>,
  before: BeatRecord,
): Omit<Probed, 'at'> | undefined => {
  if (reached.length + unreached.length === 0 && !before.probed.has(agent)) return undefined;
  const own = new Set(resources.map(({ resource }) => resource));
  const others = (ids: readonly string[]): readonly string[] => ids.filter((id) => !own.has(id));
  return { reached: others(reached), unreached: others(unreached) };
};

/** Only registered resources of this labscape may beat, or the packed item would grow with anybody's inventions. */
const refuseStrangers = async (
  runtime: Runtime,
  labscape: string,
  input: z.infer<typeof HeartbeatInput>,
): Promise<void> => {
  const homes = await Promise.all(input.resources.map((entry) => runtime.fleet.labscapeOf(entry.resource)));
  const index = homes.findIndex((home) => home !== labscape);
  const stranger = input.resources[index];
  if (stranger !== undefined) {
    throw new ProblemError('not-found', `labscape ${labscape} has no resource ${stranger.resource}`, {
      errors: [
        { field: `resources[${index}].resource`, reason: `is not a resource of labscape ${labscape}` },
      ],
    });
  }
};

const pulsesOf = (
  input: z.infer<typeof HeartbeatInput>,
  before: BeatRecord,
  labscape: LabscapeRecord,
  now: number,
): ReadonlyMap<string, Pulse> => {
  const paces = pacesOf(input, before, labscape, now);
  return new Map(
    input.resources.map((entry) => [
      entry.resource,
      learn(
        before.pulses.get(entry.resource),
        {
          ...{ lastAt: now, status: entry.status, epoch: entry.epoch },
          ...{ leaseEndMs: leaseEndMs(labscape.policy), latencyMs: entry.latencyMs, errors: entry.errors },
          pace: paces.get(entry.resource),
        },
        labscape.policy.beatMs,
      ),
    ]),
  );
};

/** The labscape at hand always; all others as look-around.ts says: any batch checks the others' leases. */
const judgeEverybody = async (
  runtime: Runtime,
  labscape: LabscapeRecord,
  read: readonly ResourceRecord[],
  beats: BeatRecord,
  receivedAt: number,
  requestId: string,
): Promise<void> => {
  // Others are looked at once a beat: no younger picture of them is worth its reads.
  const snapshot = await runtime.fleet.snapshot(Math.max(SNAPSHOT_AGE_MAX_MS, labscape.policy.beatMs));
  for (const resource of read) runtime.fleet.learn(resource);
  const of = (id: string): readonly ResourceRecord[] => snapshot.resources.filter((r) => r.labscape === id);
  const own = hear(runtime, beats, labscape.policy, receivedAt);
  // What was read for this batch is newer than any picture, which may not know it yet.
  const known = new Map([...of(labscape.id), ...read].map((resource) => [resource.id, resource]));
  const judgeOwn = (look: Look) =>
    judgeLabscape(runtime, [...known.values()], own, requestId, { ...OWN_SIGHT, testimony: look.testimony });
  const last = lastLooks.get(runtime);
  if (last !== undefined) await judgeOwn(last);
  const at = runtime.clock.monotonicMs();
  if (!isLookDue(last, at, labscape.policy.beatMs)) return;
  const others = [...snapshot.labscapes.values()].filter((other) => other.id !== labscape.id);
  const readAt = runtime.clock.now();
  const records = await readManyBeats(
    runtime.store,
    others.map((other) => other.id),
  );
  const heard = records.flatMap((record, index): Heard[] => {
    const policy = others[index]?.policy;
    return policy === undefined ? [] : [hear(runtime, record, policy, readAt)];
  });
  const sight = sightOf([own, ...heard], readAt);
  const look = lookOf([own, ...heard], sight, of, at);
  lastLooks.set(runtime, look);
  // Who has not looked around yet knows nothing of what others say, and would take their word back.
  if (last === undefined) await judgeOwn(look);
  await Promise.all(
    heard.map((other) => judgeLabscape(runtime, of(other.beats.labscape), other, requestId, sight)),
  );
};
