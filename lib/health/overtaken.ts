/**
 * Whether a batch was refused for no more than that a later one of its agent overtook it on the way. Agents number by their
 * clock, ms, and send another before an answer has come; what is older than a lease nobody sends any more. The last
 * number again is none of these.
 */
export const isOvertaken = (seq: number, last: number, leaseMs: number): boolean =>
  seq < last && last - seq < leaseMs;
