/** What was observed of one labscape or resource since the last adjustment. */
export interface LatencySample {
  readonly id: string;
  /** Mean latency over the interval, ms; undefined when nothing was served. */
  readonly latencyMs: number | undefined;
  /** The weight that the labscape was joined with. */
  readonly baseWeight: number;
}

/** What is remembered of it between adjustments. */
export interface LatencyState {
  /** Exponentially weighted mean of the latency, ms; undefined before the first sample. */
  readonly meanMs: number | undefined;
  readonly weight: number;
}

export interface AdaptiveSettings {
  /** Time after which a sample counts 1/e, ms. */
  readonly memoryMs: number;
  /** Share of the way to its target, on a logarithmic scale, that a weight goes in one adjustment. */
  readonly gain: number;
  /** Greatest factor by which one adjustment changes a weight. */
  readonly stepMax: number;
  /** Greatest factor by which a weight leaves its base. */
  readonly rangeMax: number;
  /** Factor within which a weight counts as right. */
  readonly deadBand: number;
}

/** Memory longer than a few adjustments, half steps and an exponent below 1: see `adjustWeights` on oscillation. */
export const ADAPTIVE_DEFAULTS: AdaptiveSettings = {
  ...{ memoryMs: 30_000, gain: 0.5, stepMax: 1.25 },
  ...{ rangeMax: 4, deadBand: 1.03 },
};

/** Halving a latency asks for √2 of the weight: latency grows faster than load, so its inverse would overshoot. */
const EXPONENT = 0.5;
/** Below this a latency is noise of the clock, ms. */
const LATENCY_MIN_MS = 0.01;

const clamp = (value: number, bound: number): number => Math.min(bound, Math.max(-bound, value));

/**
 * Exponentially weighted moving average over uneven intervals: mean + (1 − e^(−Δt/τ)) · (sample − mean), which for even
 * ones is the EWMA of Roberts, Technometrics 1(3), 1959. The first sample is the mean.
 */
export const ewma = (
  meanMs: number | undefined,
  sampleMs: number,
  elapsedMs: number,
  memoryMs: number,
): number =>
  meanMs === undefined ? sampleMs : meanMs + (1 - Math.exp(-elapsedMs / memoryMs)) * (sampleMs - meanMs);

/** The mean of the two in the middle where their number is even; undefined for none. */
export const medianOf = (values: readonly number[]): number | undefined => {
  const sorted = [...values].sort((a, b) => a - b);
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  return low === undefined || high === undefined ? undefined : (low + high) / 2;
};

const nextWeight = (
  { weight }: LatencyState,
  baseWeight: number,
  relative: number,
  { gain, stepMax, rangeMax, deadBand }: AdaptiveSettings,
): number => {
  const target = clamp(-EXPONENT * Math.log(relative), Math.log(rangeMax));
  const distance = Math.log(baseWeight) + target - Math.log(weight);
  if (Math.abs(distance) <= Math.log(deadBand)) return weight;
  return weight * Math.exp(clamp(gain * distance, Math.log(stepMax)));
};

/**
 * Weights for the next interval. The target of each is
 *
 *   base · (median latency ÷ own latency)^(1/2), within base ÷ rangeMax … base · rangeMax,
 *
 * and it is approached by ln w ← ln w + clamp(gain · (ln target − ln w), ± ln stepMax): the step of the multiplicative
 * weights method (Arora, Hazan and Kale, Theory of Computing 8, 2012) with a bound on it. Against oscillation: latency is
 * averaged, the step is a share of the distance, and the exponent halves the loop's gain. Where latency rises with the
 * weight as its e-th power the distance to the fixed point changes by the factor 1 − gain · (1 + e/2) per adjustment
 * (of settled means), so with gain 1/2 nothing swings up to e = 2 and everything settles below e = 6.
 *
 * What served nothing keeps its mean and goes back towards its base: nothing says that it is slow any more. Weights are
 * positive numbers, the caller rounds. Pure; the order of samples does not matter.
 *
 * @param elapsedMs since the last adjustment
 */
export const adjustWeights = (
  samples: readonly LatencySample[],
  states: ReadonlyMap<string, LatencyState>,
  elapsedMs: number,
  settings: AdaptiveSettings = ADAPTIVE_DEFAULTS,
): ReadonlyMap<string, LatencyState> => {
  const heard = samples.map(({ id, latencyMs, baseWeight }) => {
    const state = states.get(id) ?? { meanMs: undefined, weight: baseWeight };
    const sampleMs = latencyMs === undefined ? undefined : Math.max(LATENCY_MIN_MS, latencyMs);
    const meanMs =
      sampleMs === undefined ? state.meanMs : ewma(state.meanMs, sampleMs, elapsedMs, settings.memoryMs);
    return { id, baseWeight, state, meanMs, served: sampleMs !== undefined };
  });
  const median = medianOf(
    heard.flatMap(({ meanMs, served }) => (served && meanMs !== undefined ? [meanMs] : [])),
  );
  return new Map(
    heard.map(({ id, baseWeight, state, meanMs, served }) => {
      const relative = served && meanMs !== undefined && median !== undefined ? meanMs / median : 1;
      return [id, { meanMs, weight: nextWeight(state, baseWeight, relative, settings) }];
    }),
  );
};
