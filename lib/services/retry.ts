import { changing } from '../errors.ts';
import type { Runtime } from './runtime.ts';

/** First pause after a lost race, and the greatest, ms: full jitter between 0 and the doubled bound. */
const PAUSE_FIRST_MS = 4;
const PAUSE_MOST_MS = 120;
/** With the pauses between them 0.7 s on average: a crowd of writers is over by then, or the caller comes back. */
export const TRIES_MAX = 16;

/** Before the next try of what lost a race; `attempt` counts from 0. */
export const pauseAfterRace = async (
  runtime: Pick<Runtime, 'chance' | 'sleep'>,
  attempt: number,
  mostMs = PAUSE_MOST_MS,
): Promise<void> => runtime.sleep(runtime.chance.uniform() * Math.min(mostMs, PAUSE_FIRST_MS * 2 ** attempt));

/**
 * The answer of the first try that is not lost to another writer; `once` looks afresh each time and gives undefined for a
 * loss. Raises unavailable when none is won, saying `what` changes all the time.
 */
export const untilWon = async <T>(
  runtime: Pick<Runtime, 'chance' | 'sleep'>,
  what: string,
  once: () => Promise<T | undefined>,
  mostMs = PAUSE_MOST_MS,
): Promise<T> => {
  for (let attempt = 0; attempt < TRIES_MAX; attempt += 1) {
    const won = await once();
    if (won !== undefined) return won;
    await pauseAfterRace(runtime, attempt, mostMs);
  }
  throw changing(what);
};
