/** A place in the history of what a resource shall run. */
export interface Position {
  readonly epoch: number;
  readonly revision: number;
}

export const NO_POSITION: Position = { epoch: 0, revision: 0 };

const isOlder = (a: Position, b: Position): boolean =>
  a.epoch < b.epoch || (a.epoch === b.epoch && a.revision < b.revision);

/** Longer than any snapshot of the control plane lags behind its own writes, ms. */
const BEHIND_MS_MAX = 10_000;

/** The latest place that the control plane has told, by its lists and by its answers to beats. */
export class LatestPosition {
  #latest = NO_POSITION;
  #behindSinceMs: number | undefined;

  get latest(): Position {
    return this.#latest;
  }

  /** Takes a list's; false, and nothing taken, where it is older than what is known. */
  takeList({ epoch, revision }: Position): boolean {
    if (isOlder({ epoch, revision }, this.#latest)) return false;
    this.#latest = { epoch, revision };
    return true;
  }

  /**
   * Takes a beat's answer; `nowMs`: monotonic. An older word than what is known comes from a snapshot that lags and is
   * passed over (false), unless it stays: then the control plane was set back.
   */
  takeAnswer(told: Position, nowMs: number): boolean {
    if (isOlder(told, this.#latest)) {
      this.#behindSinceMs ??= nowMs;
      if (nowMs - this.#behindSinceMs < BEHIND_MS_MAX) return false;
    }
    this.#behindSinceMs = undefined;
    this.#latest = told;
    return true;
  }
}
