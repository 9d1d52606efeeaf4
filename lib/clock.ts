/** Time and chance, passed in wherever they are needed so that decisions can be replayed. */
export interface Clock {
  /** Epoch ms, UTC; may jump. */
  now(): number;
  /** Monotonic ms with a fraction; for durations only. */
  monotonicMs(): number;
}

/** Chance and ids. `uniform` is in [0, 1). */
export interface Chance {
  uniform(): number;
  /** A new id that fits `[a-z0-9-]{1,40}` and sorts by time. */
  id(): string;
}
