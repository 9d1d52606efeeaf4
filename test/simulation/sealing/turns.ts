import type { Stream } from '../world/chance.ts';

/** One of several workers: it rests before each call to the outside, until it is its turn. */
export class Lane {
  done = false;
  #resume: (() => void) | undefined;
  #rest: () => void = () => {};

  /** Rests; the call that follows is the worker's next step. */
  turn(): Promise<void> {
    return new Promise((go) => {
      this.#resume = go;
      this.#rest();
    });
  }

  /** Lets it go on until it rests again or has ended. */
  step(): Promise<void> {
    return new Promise((rested) => {
      this.#rest = rested;
      this.#resume?.();
    });
  }

  /** Begins; settles at its first rest. */
  begin(work: () => Promise<unknown>): Promise<void> {
    return new Promise((rested) => {
      this.#rest = rested;
      const end = (): void => {
        this.done = true;
        this.#rest();
      };
      void work().then(end, end);
    });
  }
}

/** Workers side by side, one step at a time, each step by seeded choice: the same order in every run. */
export const inTurns = async (
  chance: Stream,
  works: readonly ((lane: Lane) => Promise<unknown>)[],
): Promise<void> => {
  const lanes = works.map(() => new Lane());
  for (const [index, lane] of lanes.entries()) await lane.begin(async () => works[index]?.(lane));
  for (;;) {
    const open = lanes.filter(({ done }) => !done);
    if (open.length === 0) return;
    await chance.pick(open).step();
  }
};
