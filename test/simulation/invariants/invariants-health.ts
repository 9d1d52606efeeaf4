import { leaseEndsAt } from '../../../lib/failover/fencing.ts';
import type { Changes, State } from '../world/state.ts';
import type { Breach } from './invariants.ts';

/** Clocks of two sandboxes differ by so much at most, ms: see the skew in lambda.ts, and rounding. */
const SKEW_MS = 401;

/** A beat that was taken in, virtual ms: when its controller looked at the clock, and when it was committed. */
interface Heard {
  readonly madeAt: number;
  readonly at: number;
}

/**
 * Invariant 8: the detector fails a resource only when no beat of it was accepted for its lease; never while the
 * controller hears nobody, nor before it has heard again for a lease; and never before a living host has had the time
 * of one beat since the store answers again. A beat counts once.
 */
export class HealthWatch {
  readonly #byResource = new Map<string, Heard[]>();
  readonly #all: Heard[] = [];
  /** When an invocation took a batch in: what it judges on was read after that. */
  readonly #wroteAt = new Map<string, number>();
  /** When the store last began to answer again. */
  backAt = Number.NEGATIVE_INFINITY;

  look(state: State, changes: Changes): readonly Breach[] {
    return [...this.#hear(changes), ...this.#judge(state, changes)].map((what) => ({ invariant: 8, what }));
  }

  #hear({ beats, when }: Changes): readonly string[] {
    const heard = { madeAt: when.madeAt, at: when.now };
    return beats.flatMap(({ agent, before, after, resources }) => {
      this.#wroteAt.set(when.by, when.now);
      this.#all.push(heard);
      for (const id of resources) this.#byResource.set(id, [...(this.#byResource.get(id) ?? []), heard]);
      return after > before ? [] : [`beat ${after} of ${agent} was taken in after ${before}`];
    });
  }

  #judge(state: State, { resources, events, when }: Changes): readonly string[] {
    const verdict = events.find(({ type }) => type === 'resource.failed');
    const after = resources[0]?.after;
    if (verdict === undefined || after?.failedBy !== 'detector') return [];
    const policy = state.labscapes.get(after.labscape)?.policy;
    if (policy === undefined) return [`resource ${after.id} is failed in an unknown labscape`];
    const leaseMs = leaseEndsAt(0, policy.leaseMs);
    const from = Math.max(when.beganAt, this.#wroteAt.get(when.by) ?? when.beganAt);
    const silenceMs = longestSilence(this.#byResource.get(after.id) ?? [], from, when.now);
    const sentences: string[] = [];
    const say = (why: string): void =>
      void sentences.push(`resource ${after.id} is failed by the detector ${why}`);
    if (silenceMs < leaseMs - SKEW_MS) say(`after a silence of ${Math.round(silenceMs)} ms`);
    const before = this.#all.filter(({ at }) => at <= from);
    const blindMs = from - Math.max(...before.map(({ madeAt }) => madeAt));
    if (blindMs > leaseMs + SKEW_MS) say(`though nobody was heard for ${Math.round(blindMs)} ms`);
    const sightMs = when.now - sightedAt(before, leaseMs);
    if (sightMs < leaseMs - SKEW_MS) say(`${Math.round(sightMs)} ms after the controller was blind`);
    const upMs = when.now - this.backAt;
    if (from >= this.backAt && upMs < policy.beatMs - SKEW_MS)
      say(`${Math.round(upMs)} ms after the store came back`);
    return sentences;
  }
}

/** The longest silence that can have been seen between `from` and `to`, ms. */
const longestSilence = (heard: readonly Heard[], from: number, to: number): number => {
  let longest = 0;
  let last = Number.NEGATIVE_INFINITY;
  for (const { madeAt, at } of heard) {
    if (at >= from) longest = Math.max(longest, at - last);
    last = Math.max(last, madeAt);
  }
  return Math.max(longest, to - last);
};

/** When the controller last began to hear again after a lease in which it heard nobody. */
const sightedAt = (heard: readonly Heard[], leaseMs: number): number => {
  let sighted = Number.NEGATIVE_INFINITY;
  let last = heard[0]?.madeAt ?? 0;
  for (const { madeAt, at } of heard) {
    if (madeAt - last > leaseMs + SKEW_MS) sighted = at;
    last = Math.max(last, madeAt);
  }
  return sighted;
};
