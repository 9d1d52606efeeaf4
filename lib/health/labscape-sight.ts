import type { SeenLabscape, SelfDoubt } from '../schemas/rule.ts';
import type { Verdict } from '../schemas/status.ts';
import { BLIND_SHARE } from './detector.ts';

/** What is heard of a labscape as a whole. Epoch ms. */
export interface LabscapeHeard {
  readonly id: string;
  /** Its last batch, of any agent; undefined: there never was one. */
  readonly heardAt: number | undefined;
  /** Last batch before its latest silence, which ended in a grace until `graceUntil`. */
  readonly silentFrom: number | undefined;
  readonly graceUntil: number;
  /** Silence that its rhythm does not explain, and silence after which all its leases have run out, ms. */
  readonly lateAfterMs: number;
  readonly leaseEndMs: number;
  /** Labscapes that its agents cannot reach, as they said within a lease. */
  readonly unreachable: readonly string[];
}

/** Facts about one labscape, for those who decide about all of it at once. */
export interface LabscapeSight {
  readonly verdict: Verdict;
  readonly reason: string;
  /** Since when the verdict is so, epoch ms; undefined where nobody can tell. */
  readonly since?: number;
  /** Other labscapes that are heard: so many could have seen it. */
  readonly observers: number;
  /** Those of them that say they cannot reach it. */
  readonly unreachableBy: readonly string[];
  /** Too few see it: a failover of all of it is a person's decision. */
  readonly asks: boolean;
  /** Since when no failed verdict falls here because most labscapes fell silent at once, epoch ms. */
  readonly frozenSince?: number;
}

/** Fewer others than this cannot tell a labscape that is gone from a line that is. */
export const OBSERVERS_MIN = 3;
/** Of fewer labscapes than this nobody can say "most". */
const FLEET_MIN = 3;

const silenceOf = ({ heardAt }: LabscapeHeard, now: number): number =>
  heardAt === undefined ? 0 : now - heardAt;

const isSilent = (one: LabscapeHeard, now: number): boolean => silenceOf(one, now) > one.lateAfterMs;

/** When it fell silent, if it is, or was until its grace; epoch ms. */
const fellAt = (one: LabscapeHeard, now: number): number | undefined => {
  if (isSilent(one, now)) return one.heardAt;
  return now < one.graceUntil ? one.silentFrom : undefined;
};

const isHeard = (one: LabscapeHeard, now: number): boolean =>
  one.heardAt !== undefined && silenceOf(one, now) <= one.leaseEndMs;

/**
 * Self-doubt: labscapes that fell silent together with most others (of at least three), within one lease. One labscape
 * that is gone is ordinary; most of them at once are more likely the controller's own line. They stay frozen until most
 * are heard again and their fresh grace is over, or a person acts. By id, since when, epoch ms.
 */
export const frozenOf = (fleet: readonly LabscapeHeard[], now: number): ReadonlyMap<string, number> => {
  const frozen = new Map<string, number>();
  for (const one of fleet) {
    if (!isSilent(one, now) || one.heardAt === undefined) continue;
    const { heardAt, leaseEndMs } = one;
    const together = fleet.filter((other) => {
      const at = fellAt(other, now);
      return at !== undefined && Math.abs(at - heardAt) <= leaseEndMs;
    });
    const standing = fleet.filter((other) => !together.includes(other) && isHeard(other, now));
    const all = together.length + standing.length;
    if (all < FLEET_MIN || 2 * together.length <= all) continue;
    // Frozen since the one fell silent that made them most.
    const late = together.map((other) => (fellAt(other, now) ?? 0) + other.lateAfterMs).sort((a, b) => a - b);
    frozen.set(one.id, late[Math.floor(all / 2)] ?? heardAt);
  }
  return frozen;
};

/** Until when it has the fresh grace that follows a silence of most of a lease, epoch ms; 0 when there was none. */
const freshUntil = ({ graceUntil, silentFrom, leaseEndMs }: LabscapeHeard): number =>
  silentFrom !== undefined && graceUntil - leaseEndMs - silentFrom > BLIND_SHARE * leaseEndMs
    ? graceUntil
    : 0;

/** Nothing was heard of all of it for most of a lease: what is about it is about more than one late beat. */
export const isAway = (one: LabscapeHeard, now: number): boolean =>
  isSilent(one, now) && silenceOf(one, now) > BLIND_SHARE * one.leaseEndMs;

/**
 * Why nothing may start by itself that this silence, or whatever speaks of it, would start. Of one that was never heard
 * there is nothing to doubt: it has no agents, and what is said of it comes by another line.
 */
const doubtOf = (one: LabscapeHeard, fleet: readonly LabscapeHeard[], now: number): SelfDoubt | undefined => {
  if (one.heardAt === undefined) return undefined;
  const frozenSince = isAway(one, now) ? frozenOf(fleet, now).get(one.id) : undefined;
  if (frozenSince !== undefined) return { kind: 'frozen', since: frozenSince };
  const known = fleet.filter(({ heardAt }) => heardAt !== undefined);
  const hearing = known.filter((other) => isHeard(other, now));
  if (hearing.length === 0)
    return { kind: 'blind', since: Math.max(...known.map((l) => (l.heardAt ?? 0) + l.leaseEndMs)) };
  // Who is heard since less than a lease tells nothing yet of those who are not.
  const first = hearing.toSorted((a, b) => freshUntil(a) - freshUntil(b)).slice(0, 1);
  const back = [one, ...first].find((other) => now < freshUntil(other));
  if (back?.silentFrom === undefined) return undefined;
  return { kind: 'fresh-grace', since: back.silentFrom + back.lateAfterMs, until: freshUntil(back) };
};

/** What the safety rules of a recovery look at. */
export const seenBy = (one: LabscapeHeard, fleet: readonly LabscapeHeard[], now: number): SeenLabscape => {
  const doubt = doubtOf(one, fleet, now);
  const observers = fleet.filter((other) => other.id !== one.id && isHeard(other, now)).length;
  return {
    ...(doubt === undefined ? {} : { doubt }),
    ...{ silent: isAway(one, now), observers, asks: observers < OBSERVERS_MIN },
  };
};

/** What the whole fleet's beats say of one labscape. */
export const labscapeSight = (
  one: LabscapeHeard,
  fleet: readonly LabscapeHeard[],
  now: number,
): LabscapeSight => {
  const others = fleet.filter((other) => other.id !== one.id && isHeard(other, now));
  const unreachableBy = others.filter(({ unreachable }) => unreachable.includes(one.id)).map(({ id }) => id);
  const frozenSince = frozenOf(fleet, now).get(one.id);
  return {
    ...verdictOf(one, now, others.length, unreachableBy.length, frozenSince),
    ...{ observers: others.length, unreachableBy, asks: others.length < OBSERVERS_MIN },
    ...(frozenSince === undefined ? {} : { frozenSince }),
  };
};

const verdictOf = (
  one: LabscapeHeard,
  now: number,
  observers: number,
  unreachable: number,
  frozenSince: number | undefined,
): Pick<LabscapeSight, 'verdict' | 'reason' | 'since'> => {
  const { heardAt, lateAfterMs, leaseEndMs } = one;
  if (heardAt === undefined) return { verdict: 'unknown', reason: 'never heard' };
  const silence = silenceOf(one, now);
  const others = `${unreachable} of ${observers} others cannot reach it`;
  if (!isSilent(one, now)) {
    // Its own word arrives here, but hardly anywhere else.
    if (unreachable > 1 && 2 * unreachable > observers) return { verdict: 'suspect', reason: others };
    return { verdict: 'healthy', reason: 'beating' };
  }
  if (frozenSince !== undefined)
    return {
      verdict: 'unknown',
      // A busy machine makes all of them late; nobody is to look for a broken line then.
      reason: isAway(one, now)
        ? 'most labscapes fell silent at once: no verdict falls'
        : `late with most labscapes, silent for ${silence} ms: no verdict falls`,
      since: frozenSince,
    };
  if (observers === 0 && silence > leaseEndMs)
    return { verdict: 'unknown', reason: 'nobody is heard: no verdict falls', since: heardAt + leaseEndMs };
  const reason = `silent for ${silence} ms${unreachable > 0 ? `, ${others}` : ''}`;
  return silence > leaseEndMs
    ? { verdict: 'failed', reason, since: heardAt + leaseEndMs }
    : { verdict: 'suspect', reason, since: heardAt + lateAfterMs };
};
