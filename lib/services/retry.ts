import type { Runtime } from './runtime.ts';

/** First pause after a lost race, and the greatest, ms: full jitter between 0 and the doubled bound. */
const PAUSE_FIRST_MS = 4;
const PAUSE_MOST_MS = 120;

/** Before the next try of what lost a race; `attempt` counts from 0. */
export const pauseAfterRace = async (
  runtime: Pick<Runtime, 'chance' | 'sleep'>,
  attempt: number,
  mostMs = PAUSE_MOST_MS,
): Promise<void> => runtime.sleep(runtime.chance.uniform() * Math.min(mostMs, PAUSE_FIRST_MS * 2 ** attempt));
