/** Scopes remembered of one principal; who acts in more has no habit that could be left. */
export const SCOPES_MAX = 64;
/** A habit is learnt for so long before anything is unusual, ms. */
export const LEARNING_MS = 86_400_000;
/** What is new stays new for so long, so that a slow walk counts as a quick one does, ms. */
const NEW_FOR_MS = 3_600_000;

/** Where a principal acts: `ACTION tenant:T`, `ACTION labscape:L`, or `ACTION -`. */
export interface Habit {
  readonly principal: string;
  readonly since: number;
  readonly scopes: readonly string[];
  /** Scopes that were unusual when they came, and when. */
  readonly recent: readonly { readonly scope: string; readonly at: number }[];
}

export interface Learnt {
  /** Undefined: nothing to write. */
  readonly habit: Habit | undefined;
  /** Unusual scopes of the last NEW_FOR_MS. */
  readonly unusual: Habit['recent'];
}

/** What a principal's new scopes make of its habit. Pure; epoch ms. */
export function learn(
  principal: string,
  known: Habit | undefined,
  seen: readonly string[],
  nowMs: number,
): Learnt {
  const habit = known ?? { principal, since: nowMs, scopes: [], recent: [] };
  const fresh = [...new Set(seen)].filter((scope) => !habit.scopes.includes(scope));
  const isWide = habit.scopes.length >= SCOPES_MAX;
  const settled = nowMs - habit.since >= LEARNING_MS;
  const kept = habit.recent.filter(({ at }) => nowMs - at < NEW_FOR_MS);
  const recent =
    settled && !isWide ? [...kept, ...fresh.map((scope) => ({ scope, at: nowMs }))].slice(-SCOPES_MAX) : kept;
  const changed = known === undefined || (fresh.length > 0 && !isWide) || kept.length < habit.recent.length;
  const scopes = isWide ? habit.scopes : [...habit.scopes, ...fresh].slice(0, SCOPES_MAX);
  return {
    habit: changed ? { ...habit, scopes, recent } : undefined,
    unusual: recent,
  };
}
