/**
 * How many of these moves lie in the span that ends now: any span of `windowMs` holds at most as many moves as a caller
 * allows who asks this before each. A move of a further future than a window is of a clock that was put right since.
 * Times in epoch ms.
 */
export const movesWithin = (times: readonly number[], now: number, windowMs: number): number =>
  times.filter((at) => at > now - windowMs && at <= now + windowMs).length;
