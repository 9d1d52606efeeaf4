import { createHash } from 'node:crypto';
import { seeded } from '../../crash/seeded.ts';

/** Chance of one purpose, reproducible from the seed. */
export interface Stream {
  /** In [0, 1). */
  uniform(): number;
  /** An integer in [0, below). */
  below(below: number): number;
  /** True with probability `share`. */
  happens(share: number): boolean;
  pick<T>(from: readonly T[]): T;
}

/** A stream per purpose: a draw more for one purpose moves no other's. */
export const streams = (seed: number) => {
  const known = new Map<string, Stream>();
  return (purpose: string): Stream => {
    const found = known.get(purpose);
    if (found !== undefined) return found;
    const bits = createHash('sha256').update(`${seed}/${purpose}`).digest().readUInt32BE(0);
    const made = streamOf(seeded(bits));
    known.set(purpose, made);
    return made;
  };
};

export type Streams = ReturnType<typeof streams>;

const streamOf = (uniform: () => number): Stream => {
  const below = (bound: number): number => Math.floor(uniform() * bound);
  return {
    uniform,
    below,
    happens: (share) => uniform() < share,
    pick: (from) => {
      const found = from[below(from.length)];
      if (found === undefined) throw new RangeError('nothing to pick from');
      return found;
    },
  };
};
