import { type Judged, learn, type Pulse } from '../../../lib/health/detector.ts';
import type { Policy } from '../../../lib/schemas/labscape.ts';
import { type Heard, hear, heardNow, leaseEndMs } from '../../../lib/services/health/hearing.ts';
import { isLookDue, type Look, lookOf } from '../../../lib/services/health/look-around.ts';
import { OWN_SIGHT, type Sight, sightOf } from '../../../lib/services/health/sight.ts';
import { type Judgeable, stepsOf } from '../../../lib/services/health/verdicts.ts';
import { type BeatRecord, decodeBeats } from '../../../lib/store/fleet/heartbeats.ts';

export interface Watched extends Judgeable {
  readonly labscape: string;
  status: Judgeable['status'];
}

interface Room {
  record: BeatRecord;
  readonly resources: readonly Watched[];
}

/**
 * One warm function that takes every batch in: the shipped detector, grace, sight and verdicts over records in memory.
 * Its own are only the two places of services/heartbeat.ts that hold them together: what a batch changes, and that all
 * others are looked at once a beat.
 */
export class Controller {
  readonly #policy: Policy;
  readonly #rooms: ReadonlyMap<string, Room>;
  readonly #onVerdict: (resource: Watched, to: Judged['verdict'], atMs: number) => void;
  #nowMs = 0;
  #looked: Look | undefined;
  readonly #clock = { clock: { now: () => this.#nowMs, monotonicMs: () => this.#nowMs } };

  constructor(
    policy: Policy,
    resources: readonly Watched[],
    onVerdict: (resource: Watched, to: Judged['verdict'], atMs: number) => void,
  ) {
    this.#policy = policy;
    this.#onVerdict = onVerdict;
    this.#rooms = new Map(
      [...Map.groupBy(resources, ({ labscape }) => labscape)].map(([id, own]) => [
        id,
        { record: { ...decodeBeats(id, undefined), pulses: new Map() }, resources: own },
      ]),
    );
  }

  /** Takes a batch in, and judges everybody whose evidence is at hand. */
  batch(labscape: string, resources: readonly string[], atMs: number): void {
    const room = this.#rooms.get(labscape);
    if (room === undefined) throw new Error(`no labscape ${labscape}`);
    this.#nowMs = atMs;
    const policy = this.#policy;
    const before = room.record;
    const { graceUntil = before.graceUntil, ...heard } = heardNow(before, policy, atMs);
    const pulses = before.pulses as Map<string, Pulse>;
    for (const id of resources) {
      const beat = { lastAt: atMs, status: 'ok', epoch: 1, leaseEndMs: leaseEndMs(policy) } as const;
      pulses.set(id, learn(pulses.get(id), beat, policy.beatMs));
    }
    room.record = { ...before, ...heard, graceUntil, pulses };
    const own = hear(this.#clock, room.record, policy, atMs);
    this.#judge(room, own, OWN_SIGHT);
    if (!isLookDue(this.#looked, atMs, policy.beatMs)) return;
    const others = [...this.#rooms.values()]
      .filter((other) => other !== room)
      .map((other) => ({ other, heard: hear(this.#clock, other.record, policy, atMs) }));
    const theirs = others.map((each) => each.heard);
    const sight = sightOf([own, ...theirs], atMs);
    this.#looked = lookOf([own, ...theirs], sight, (id) => this.#rooms.get(id)?.resources ?? [], atMs);
    for (const each of others) this.#judge(each.other, each.heard, sight);
  }

  #judge(room: Room, heard: Heard, sight: Sight): void {
    for (const { resource, step } of stepsOf(room.resources, heard, sight)) {
      resource.status = step.to;
      this.#onVerdict(resource, step.to, heard.readAt);
    }
  }
}
