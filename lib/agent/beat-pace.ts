/**
 * When an agent sends its next beat. A beat that was answered is followed by the next one after `beatMs`. One that is
 * not answered in time is sent again much sooner, so that it takes many losses in a row, not three, to end a lease.
 * Pure: what was sent and answered is the caller's to know. Times in ms.
 */
export interface Pace {
  /** Resends that may still be sent: a control plane that answers nobody soon gets no more than a beat per beat. */
  readonly resends: number;
  /** Smoothed round trip and its mean deviation, as in TCP's estimator (RFC 6298); 0 before the first answer. */
  readonly roundTripMs: number;
  readonly deviationMs: number;
}

/** A beat that is not answered is sent again after this part of the time to the next one, at the latest. */
export const RESEND_SHARE = 1 / 4;
/** By chance it is sent sooner, by up to this share of that: those who failed together do not come back together. */
const JITTER_SHARE = 1 / 2;
/** Resends that are saved up at most: those of a lease of three beats, and some. Each answer earns one. */
export const RESENDS_MAX = 12;

const GAIN = 1 / 8;
const DEVIATION_GAIN = 1 / 4;
/** Deviations beyond the smoothed round trip until an answer is late. */
const LATE_DEVIATIONS = 4;

export const FRESH_PACE: Pace = { resends: RESENDS_MAX, roundTripMs: 0, deviationMs: 0 };

/** The pace after an answer that came so long after its beat was sent. */
export const afterAnswer = (pace: Pace, tookMs: number): Pace => {
  const resends = Math.min(RESENDS_MAX, pace.resends + 1);
  if (pace.roundTripMs === 0) return { resends, roundTripMs: tookMs, deviationMs: tookMs / 2 };
  const error = tookMs - pace.roundTripMs;
  return {
    resends,
    roundTripMs: pace.roundTripMs + GAIN * error,
    deviationMs: pace.deviationMs + DEVIATION_GAIN * (Math.abs(error) - pace.deviationMs),
  };
};

export const afterResend = (pace: Pace): Pace => ({ ...pace, resends: pace.resends - 1 });

/**
 * How long after it left a beat is sent again unless it was answered, ms; undefined: not before the next one is due.
 * `uniform`: chance in [0, 1). Where answers are slow by nature nothing is sent again before one would have come.
 */
export const resendAfterMs = (pace: Pace, beatMs: number, uniform: number): number | undefined => {
  if (pace.resends < 1) return undefined;
  const shareMs = RESEND_SHARE * beatMs * (1 - JITTER_SHARE * uniform);
  const ms = Math.max(shareMs, pace.roundTripMs + LATE_DEVIATIONS * pace.deviationMs);
  return ms < beatMs ? ms : undefined;
};
