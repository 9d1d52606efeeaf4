import type { Judged } from './detector.ts';

/** What the agents of one labscape said within a lease of resources that they tried to reach. */
export interface Voice {
  readonly reached: readonly string[];
  readonly unreached: readonly string[];
}

/** Labscapes whose agents reach a resource, and those of whose agents none does. */
export interface Testimony {
  readonly reachedBy: number;
  readonly unreachedBy: number;
}

/** Each labscape has one voice, however many agents it has: it reaches what any of them reaches. By resource. */
export const testimonyOf = (voices: readonly Voice[]): ReadonlyMap<string, Testimony> => {
  const all = new Map<string, Testimony>();
  const count = (resource: string, reached: boolean): void => {
    const { reachedBy, unreachedBy } = all.get(resource) ?? { reachedBy: 0, unreachedBy: 0 };
    all.set(resource, {
      reachedBy: reachedBy + (reached ? 1 : 0),
      unreachedBy: unreachedBy + (reached ? 0 : 1),
    });
  };
  for (const voice of voices) {
    const reached = new Set(voice.reached);
    for (const resource of reached) count(resource, true);
    for (const resource of new Set(voice.unreached)) if (!reached.has(resource)) count(resource, false);
  }
  return all;
};

/** One labscape's line may be what is broken: fewer voices than this make nobody suspect. */
const VOICES_MIN = 2;

/**
 * A verdict in the light of what others say. They make nobody failed: whom most of them cannot reach is suspect though
 * its agent says that it is fine, and who is silent but reached by most has lost its agent, which a person decides about.
 */
export const weighed = (judged: Judged, testimony: Testimony | undefined): Judged => {
  const { reachedBy, unreachedBy } = testimony ?? { reachedBy: 0, unreachedBy: 0 };
  const voices = reachedBy + unreachedBy;
  if (voices === 0) return judged;
  const unreached = `${unreachedBy} of ${voices} labscapes cannot reach it`;
  const most = 2 * unreachedBy > voices;
  if (judged.verdict === 'healthy' && most && unreachedBy >= VOICES_MIN)
    return { verdict: 'suspect', reason: `its agent says it is fine, but ${unreached}` };
  // Only what is said of silence; an agent's own word is not doubted.
  if (judged.since === undefined) return judged;
  if (judged.verdict === 'failed' && 2 * reachedBy > voices && reachedBy >= VOICES_MIN)
    return {
      ...judged,
      verdict: 'suspect',
      reason: `${judged.reason}, but ${reachedBy} of ${voices} labscapes reach it: its agent is lost, a person decides`,
    };
  return most ? { ...judged, reason: `${judged.reason}, and ${unreached}` } : judged;
};
