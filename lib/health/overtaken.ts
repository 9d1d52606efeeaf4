/** As long as a request may be under way before the API's gateway gives it up, ms: on a busy machine they are. */
export const UNDER_WAY_MAX_MS = 30_000;

/**
 * Whether a batch was refused for no more than that a later one of its agent overtook it on the way. Agents number by their
 * clock, ms, and send another before an answer has come; what is older than a lease, or than a request may be under way,
 * nobody sends any more. The last number again is none of these.
 */
export const isOvertaken = (seq: number, last: number, leaseMs: number): boolean =>
  seq < last && last - seq < Math.max(leaseMs, UNDER_WAY_MAX_MS);
