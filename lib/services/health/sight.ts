import { isAhead, pauseOf } from '../../health/detector.ts';
import { frozenOf, type LabscapeHeard } from '../../health/labscape-sight.ts';
import { type Testimony, testimonyOf, type Voice } from '../../health/testimony.ts';
import { type Heard, leaseEndMs } from './hearing.ts';

/**
 * Since when the controller has heard some labscape without a break, epoch ms; undefined when it hears none. Who was
 * silent before that may have been beating at a controller that was blind.
 */
export interface Sight {
  /** By batches that are no older than a rhythm allows: before this nobody fails. */
  readonly failing: number | undefined;
  /** By batches within a lease: before this nobody becomes suspect. */
  readonly suspecting: number | undefined;
  /** Labscapes that fell silent together with most others: nobody fails there. Since when, epoch ms. */
  readonly frozen: ReadonlyMap<string, number>;
  /** What labscapes say of others' resources, by resource. */
  readonly testimony: ReadonlyMap<string, Testimony>;
}

/** Of its own labscape the grace tells all: nobody else need be asked. */
export const OWN_SIGHT: Sight = {
  failing: Number.NEGATIVE_INFINITY,
  suspecting: Number.NEGATIVE_INFINITY,
  frozen: new Map(),
  testimony: new Map(),
};

/** What a labscape's agents said of others' resources within a lease. */
const voiceOf = ({ beats, policy, readAt }: Heard): Voice => {
  const lease = leaseEndMs(policy);
  const said = [...beats.probed.values()].filter(({ at }) => Math.abs(readAt - at) <= lease);
  return {
    reached: said.flatMap(({ reached }) => reached),
    unreached: said.flatMap(({ unreached }) => unreached),
  };
};

/** What is heard of a labscape as a whole, for health/labscape-sight.ts. */
export const labscapeHeard = ({ beats, policy, readAt }: Heard): LabscapeHeard => {
  const { labscape: id, heardAt, silentFrom, graceUntil: until, pulses, unreachable } = beats;
  const lease = leaseEndMs(policy);
  const said = [...unreachable.values()].filter(({ at }) => readAt - at <= lease);
  return {
    ...{ id, heardAt, silentFrom, graceUntil: until, leaseEndMs: lease },
    lateAfterMs: Math.min(lease, pauseOf(pulses.values(), policy.beatMs)),
    unreachable: said.flatMap(({ labscapes }) => labscapes),
  };
};

/** Whether the labscape's last batch is younger than that, ms. A clock that was set back tells nothing. */
const hears = ({ beats: { heardAt }, policy }: Heard, now: number, withinMs: number): boolean =>
  heardAt !== undefined && now - heardAt <= withinMs && !isAhead(heardAt, now, leaseEndMs(policy));

const earliest = (instants: readonly number[]): number | undefined =>
  instants.length === 0 ? undefined : Math.min(...instants);

/**
 * What the controller itself can see of the fleet at `now`, epoch ms: since when it hears well enough to judge
 * silence. Pure.
 */
export const sightOf = (fleet: readonly Heard[], now: number): Sight => {
  // Its grace was granted when its beats came through again.
  const seenAgain = ({ beats, policy }: Heard): number => beats.graceUntil - leaseEndMs(policy);
  const isYoung = (heard: Heard): boolean =>
    hears(heard, now, pauseOf(heard.beats.pulses.values(), heard.policy.beatMs));
  const isAlive = (heard: Heard): boolean => hears(heard, now, leaseEndMs(heard.policy));
  return {
    // A first beat tells nothing of the time before it.
    failing: earliest(
      fleet.filter(isYoung).map((heard) => Math.max(seenAgain(heard), heard.beats.heardSince)),
    ),
    suspecting: earliest(fleet.filter(isAlive).map(seenAgain)),
    frozen: frozenOf(fleet.map(labscapeHeard), now),
    testimony: testimonyOf(fleet.map(voiceOf)),
  };
};
