import type * as z from 'zod';
import { ProblemError } from '../errors.ts';
import { isBehind } from '../failover/fencing.ts';
import { learn, type Pulse } from '../health/detector.ts';
import { mayRun } from '../health/resource-status.ts';
import type { HeartbeatAnswer, HeartbeatInput } from '../schemas/heartbeat.ts';
import { type BeatRecord, readBeats, readManyBeats, writeBeats } from '../store/heartbeats.ts';
import type { LabscapeRecord } from '../store/labscapes.ts';
import { type ResourceRecord, readResources } from '../store/resources.ts';
import { notePaces, pacesOf } from './paces.ts';
import type { Runtime } from './runtime.ts';
import { type Heard, hear, heardNow, judgeLabscape, leaseEndMs, OWN_SIGHT, sightOf } from './verdicts.ts';

const lastLookAround = new WeakMap<Runtime, number>();

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
  const before = await readBeats(runtime.store, labscapeId);
  const now = runtime.clock.now();
  const pulses = pulsesOf(input, before, labscape, now);
  const beats = await writeBeats(
    runtime.store,
    labscapeId,
    input.agent,
    input.seq,
    pulses,
    heardNow(before, labscape.policy, now),
  );
  if (beats === undefined) {
    throw new ProblemError(
      'replayed-heartbeat',
      `agent ${input.agent} has sent seq ${input.seq} or a greater one before`,
      {
        errors: [{ field: 'seq', reason: 'must be greater than the last one of this agent' }],
      },
    );
  }
  // Read after the beat was written: a fence that is not seen here will see the beat, and wait for its lease.
  const own = await readResources(
    runtime.store,
    input.resources.map((entry) => ({ labscape: labscapeId, id: entry.resource })),
  );
  for (const resource of own) runtime.fleet.learn(resource);
  await Promise.all([
    judgeEverybody(runtime, labscape, beats, now, requestId),
    notePaces(runtime, labscape, own, pulses),
  ]);
  const { leaseMs } = labscape.policy;
  const revisions = new Map(input.resources.map((entry) => [entry.resource, entry.assignmentRevision]));
  const carriedOut = (id: string): number => revisions.get(id) ?? 0;
  return {
    receivedAt: now,
    beatMs: labscape.policy.beatMs,
    leaseMs,
    resources: own.map((resource) => ({
      resource: resource.id,
      status: resource.status,
      epoch: resource.epoch,
      assignmentRevision: resource.assignmentRevision,
      leased: mayRun(resource.status) && !isBehind(resource.left, carriedOut(resource.id), leaseMs, now),
    })),
    orders: [...beats.orders],
  };
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
          ...{ lastAt: now, seq: input.seq, agent: input.agent, status: entry.status, epoch: entry.epoch },
          leaseEndMs: leaseEndMs(labscape.policy),
          pace: paces.get(entry.resource),
        },
        labscape.policy.beatMs,
      ),
    ]),
  );
};

/** The labscape at hand always; all others at most once a beat per warm function: any batch checks the others' leases. */
const judgeEverybody = async (
  runtime: Runtime,
  labscape: LabscapeRecord,
  beats: BeatRecord,
  receivedAt: number,
  requestId: string,
): Promise<void> => {
  const snapshot = await runtime.fleet.snapshot();
  const of = (id: string): readonly ResourceRecord[] => snapshot.resources.filter((r) => r.labscape === id);
  const own = hear(runtime, beats, labscape.policy, receivedAt);
  await judgeLabscape(runtime, of(labscape.id), own, requestId, OWN_SIGHT);
  const at = runtime.clock.monotonicMs();
  if (at - (lastLookAround.get(runtime) ?? Number.NEGATIVE_INFINITY) < labscape.policy.beatMs) return;
  lastLookAround.set(runtime, at);
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
  await Promise.all(
    heard.map((other) => judgeLabscape(runtime, of(other.beats.labscape), other, requestId, sight)),
  );
};
