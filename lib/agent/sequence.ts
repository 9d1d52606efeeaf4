/** First leap after a refused sequence number, ms of sequence; doubled with each refusal in a row. */
const LEAP_MS = 1_000;
/** Past this many doublings a leap is longer than eleven days: no clock is set back further by accident. */
const LEAP_DOUBLINGS_MAX = 20;

/** Grows with every beat, also over restarts as long as the host's clock does not go back. */
export function nextSeq(previous: number, wallMs: number): number {
  return Math.max(previous + 1, Math.floor(wallMs));
}

/** The host's clock was set back and an earlier run has used higher numbers: leaps ahead, ever further, until past them. */
export function leapAfterReplay(seq: number, replaysBefore: number): number {
  return seq + LEAP_MS * 2 ** Math.min(replaysBefore, LEAP_DOUBLINGS_MAX);
}
