import { ADAPTIVE_DEFAULTS, adjustWeights, type LatencyState, medianOf } from './adaptive-weights.ts';

/** What is remembered of a resource's latency from beat to beat. */
export interface Pace {
  /** Exponentially weighted mean of what its agent reports, ms; undefined when the last beat reported none. */
  readonly meanMs: number | undefined;
  /** By how much it asks for its weight to be multiplied, 1/4 to 4. */
  readonly factor: number;
}

/** A beat's word on one resource. */
export interface PaceBeat {
  readonly id: string;
  readonly latencyMs: number | undefined;
}

/** Beats after which a latency counts 1/e: 30 s at one a second, and never fewer than a few adjustments. */
const MEMORY_BEATS = 30;
/** Factors in steps of 2^(1/4), 19 %: a fleet then has a few different weights, and writes few changes of them. */
const LEVELS_PER_DOUBLING = 4;
/** How far a factor goes past its level before that changes, in levels: more than a half, or noise would flip it. */
const LEVEL_HOLDS = 0.75;

/** What is remembered: fewer digits of the mean would keep it from ever arriving, those of the factor are of 0.2 % at most. */
const rounded = ({ meanMs, weight }: LatencyState, served: boolean): Pace => ({
  meanMs: served && meanMs !== undefined ? Number(meanMs.toPrecision(4)) : undefined,
  factor: Math.round(weight * 1_000) / 1_000,
});

const isSettled = ({ meanMs, factor }: Pace): boolean =>
  meanMs === undefined && Math.abs(Math.log(factor)) <= Math.log(ADAPTIVE_DEFAULTS.deadBand);

/**
 * The paces after a beat, of the resources that beat: latencies are averaged, and each factor goes a bounded step
 * towards (median latency of the labscape ÷ own)^(1/2), see `adjustWeights`. One that reports no latency is on its way
 * back to 1, and is forgotten there. Pure.
 *
 * @param others paces of the labscape's other resources that are heard, which only count for the median
 * @param elapsedMs since the beat before
 */
export const learnPaces = (
  beats: readonly PaceBeat[],
  before: ReadonlyMap<string, Pace>,
  others: ReadonlyMap<string, Pace>,
  elapsedMs: number,
  beatMs: number,
): ReadonlyMap<string, Pace> => {
  const states = new Map(
    [...others, ...before].map(([id, { meanMs, factor }]) => [id, { meanMs, weight: factor }]),
  );
  const samples = [
    ...beats.map(({ id, latencyMs }) => ({ id, latencyMs, baseWeight: 1 })),
    // The mean of a mean is itself.
    ...[...others].map(([id, { meanMs }]) => ({ id, latencyMs: meanMs, baseWeight: 1 })),
  ];
  const settings = { ...ADAPTIVE_DEFAULTS, memoryMs: MEMORY_BEATS * beatMs };
  const after = adjustWeights(samples, states, Math.max(0, elapsedMs), settings);
  return new Map(
    beats.flatMap(({ id, latencyMs }): [string, Pace][] => {
      const state = after.get(id);
      if (state === undefined) return [];
      const pace = rounded(state, latencyMs !== undefined);
      return isSettled(pace) ? [] : [[id, pace]];
    }),
  );
};

/** The level that a factor asks for: the one that holds unless the factor has clearly left it; whole, −8 to 8. */
export const levelOf = (factor: number, held = 0): number => {
  const exact = LEVELS_PER_DOUBLING * Math.log2(factor);
  return Math.abs(exact - held) <= LEVEL_HOLDS ? held : Math.round(exact);
};

/** A labscape's weight at a resource's level: a whole number, 1 at least. */
export const weightAt = (base: number, level: number): number =>
  Math.max(1, Math.round(base * 2 ** (level / LEVELS_PER_DOUBLING)));

export interface WeightFacts {
  /** The labscape's. */
  readonly base: number;
  /** Whether the labscape's policy has its weights adapted. */
  readonly adapts: boolean;
  /** The level that the resource's item has. */
  readonly level: number;
  readonly pace: Pace | undefined;
  /** Means of all resources of the labscape that are heard and report a latency, its own among them, ms. */
  readonly means: readonly number[];
}

export interface WeightView {
  readonly base: number;
  /** What weighted strategies reckon with now. */
  readonly now: number;
  /** What its latency asks for, adapted or not. */
  readonly wanted: number;
  readonly latencyMs?: number;
  readonly medianMs?: number;
  readonly reason: string;
}

/** The weight of a resource, and why; what it would be where the policy does not adapt it. Pure. */
export const explainWeight = ({ base, adapts, level, pace, means }: WeightFacts): WeightView => {
  const now = weightAt(base, adapts ? level : 0);
  const wanted = weightAt(base, pace === undefined ? 0 : levelOf(pace.factor, level));
  const latencyMs = pace?.meanMs;
  const medianMs = medianOf(means);
  const only = adapts ? '' : '; not used, the policy does not say adaptiveWeights';
  if (latencyMs === undefined || medianMs === undefined)
    return { base, now, wanted, reason: `no latency is reported${only}` };
  const reason = `${latencyMs} ms where the median of ${means.length} is ${medianMs} ms${only}`;
  return { base, now, wanted, latencyMs, medianMs, reason };
};
