/** A stretch of time, epoch ms: from ≤ t < to. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** Windows begin at whole multiples of this, UTC. */
export const WINDOW_MS = 300_000;
/** A window is sealed so long after its end: transactions under way, indexes and clocks that differ have settled. */
export const LAG_MS = 300_000;
/** A stretch without events gets a seal that says so after this time. */
export const QUIET_MS = 86_400_000;
/**
 * A seal looks again at the windows 1, 2, 4, … before its own: so each window is looked at again when it is that old,
 * and an event that came late is found before it is twice as late as it was.
 */
const LOOKS = 10;
/** An event that becomes visible later than this after its time is in no seal; the verification names it. */
export const LATE_MS_MAX = 2 ** (LOOKS - 1) * WINDOW_MS;

/** What may be sealed by now after a seal that ended at `from`; undefined when that is nothing. */
export const dueSpan = (from: number, now: number): Span | undefined => {
  const to = Math.floor((now - LAG_MS) / WINDOW_MS) * WINDOW_MS;
  return to > from ? { from, to } : undefined;
};

/**
 * The window to seal, of what is due, when its first event is of `firstAt`: to the end of that event's window.
 * Without events all of it, once that is a day, or at once if nothing was ever sealed.
 */
export const windowOf = (due: Span, firstAt: number | undefined): Span | undefined => {
  if (firstAt === undefined) return due.from === 0 || due.to - due.from >= QUIET_MS ? due : undefined;
  const to = (Math.floor(firstAt / WINDOW_MS) + 1) * WINDOW_MS;
  return { from: due.from, to: Math.min(due.to, to) };
};

/** The stretches before a window that its seal looks through again, merged, in order. */
export const lookBack = ({ from, to }: Span): readonly Span[] => {
  if (from === 0) return [];
  const spans = Array.from({ length: LOOKS }, (_, look) => {
    const back = 2 ** (LOOKS - 1 - look) * WINDOW_MS;
    return { from: Math.max(0, from - back), to: Math.min(from, Math.max(0, to - back)) };
  });
  const merged: Span[] = [];
  for (const span of spans.filter((each) => each.to > each.from)) {
    const last = merged.at(-1);
    if (last !== undefined && span.from <= last.to)
      merged[merged.length - 1] = { from: last.from, to: Math.max(last.to, span.to) };
    else merged.push(span);
  }
  return merged;
};
