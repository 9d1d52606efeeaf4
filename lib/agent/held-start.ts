/**
 * When a start that is held back is asked for again. Work that moves starts when its owner before has stopped or its
 * lease is over. The word that it has stopped would be heard with the next beat only: until then nobody runs the work.
 */
const HELD_AGAIN_MS = 400;

/** How long until an agent asks again, ms; undefined: nothing is held, or starts by itself before. Times in ms. */
export const heldAgainMs = (dueMs: Iterable<number>, nowMs: number): number | undefined =>
  Math.max(Number.NEGATIVE_INFINITY, ...dueMs) - nowMs > HELD_AGAIN_MS ? HELD_AGAIN_MS : undefined;
