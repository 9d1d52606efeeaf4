/**
 * Whether a figure that a resource reports with its beats has risen for good: a cumulative sum (CUSUM; E. S. Page,
 * "Continuous inspection schemes", Biometrika 41, 1954) of how far each sample lies above what is usual. What is usual
 * is learnt. Pure: no clock; one sample per beat that carries a new one.
 */
export interface Signal {
  /** Samples seen, up to where counting them no longer matters. */
  readonly count: number;
  /** What is usual: mean and mean deviation. */
  readonly mean: number;
  readonly deviation: number;
  /** What it is of late; the mean unless something adds up. */
  readonly recent: number;
  /** Cumulative sum of the rise beyond what is usual, in deviations. */
  readonly sum: number;
}

/** What a kind of figure needs of a rise. */
export interface SignalKind {
  readonly name: string;
  readonly unit: string;
  /** A rise of less than this says nothing, however regular the figure was. */
  readonly leastRise: number;
  /** It must have risen to so many times what is usual. */
  readonly riseFactor: number;
  /** What is known before the first sample. */
  readonly unheard: Signal;
}

/** Samples before anything is judged. */
const WARM_UP = 30;
/** What is usual is learnt over so many samples; after an alarm so much more slowly, until the new is the usual. */
export const MEMORY = 64;
const MEMORY_ALARMED = 512;
const RECENT_GAIN = 1 / 4;
/** A mean deviation is 0.8 standard deviations of a normal distribution. */
const PER_DEVIATION = 1.25;
/** Rise per sample that is let pass, the sum at which it is an alarm, and the most it grows to, in deviations. */
const SLACK = 1;
const ALARM_SUM = 12;
const SUM_MAX = 24;
/** The most that one sample counts: an alarm takes several, however far off they are. */
const SAMPLE_MAX = 4;

const ZERO: Signal = { count: 0, mean: 0, deviation: 0, recent: 0, sum: 0 };

export const LATENCY: SignalKind = {
  name: 'latency',
  unit: 'ms',
  leastRise: 5,
  riseFactor: 1.5,
  unheard: ZERO,
};
/** No errors are what is usual anywhere: that need not be learnt, nor remembered. */
export const ERRORS: SignalKind = {
  ...{ name: 'errors', unit: 'a beat', leastRise: 3, riseFactor: 2 },
  unheard: { ...ZERO, count: MEMORY },
};

/** Deviations are never thought smaller than this part of the mean. */
const DEVIATION_SHARE_MIN = 1 / 10;

/** The signal after one more sample. */
export const sampled = (known: Signal | undefined, sample: number, kind: SignalKind): Signal => {
  const before = known ?? kind.unheard;
  const count = Math.min(MEMORY, before.count + 1);
  if (before.count === 0) return { count, mean: sample, deviation: 0, recent: sample, sum: 0 };
  const { mean, deviation } = before;
  const scale = Math.max(PER_DEVIATION * deviation, DEVIATION_SHARE_MIN * mean, kind.leastRise / 2);
  const score = Math.min(SAMPLE_MAX, (sample - mean) / scale);
  const sum = count <= WARM_UP ? 0 : Math.min(SUM_MAX, Math.max(0, before.sum + score - SLACK));
  const memory = sum > ALARM_SUM ? MEMORY_ALARMED : count;
  // One outlier does not change what is usual by more than a usual one.
  const learnt = count <= WARM_UP ? sample : Math.min(sample, mean + SAMPLE_MAX * scale);
  const usual = mean + (learnt - mean) / memory;
  return {
    ...{ count, sum, mean: usual },
    deviation: deviation + (Math.abs(learnt - mean) - deviation) / memory,
    recent: sum === 0 ? usual : before.recent + RECENT_GAIN * (sample - before.recent),
  };
};

/** Whether it has risen; a sentence about it. It is over when samples are as before, or when the new is the usual. */
export const riseOf = (signal: Signal | undefined, kind: SignalKind): string | undefined => {
  if (signal === undefined || signal.sum <= ALARM_SUM) return undefined;
  const { mean, recent } = signal;
  if (recent < kind.riseFactor * mean || recent - mean < kind.leastRise) return undefined;
  return `${kind.name} rose from ${shown(mean)} to ${shown(recent)} ${kind.unit}`;
};

const shown = (figure: number): string =>
  String(figure < 10 ? Math.round(figure * 10) / 10 : Math.round(figure));
