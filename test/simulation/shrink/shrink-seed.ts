import type { SeedResult } from '../run-seed.ts';
import { formatOrdinals } from '../world/ordinals.ts';
import { shrink } from './shrink.ts';

/** More faults than a history has. Those after the last one that is kept are left out as well. */
const ORDINAL_MAX = 9_999;
/** A history takes about a second. */
const TRIES_MAX = 150;

export interface Shrunk {
  readonly result: SeedResult;
  /** As in `--left-out`. */
  readonly leftOut: string;
  readonly tries: number;
}

/**
 * The fewest faults with which the history still breaks the same invariant. `rerun` runs the seed with the trace. A
 * history with fewer faults is another one, so all faults but those that are kept are left out, also ones that the
 * first history did not come to.
 */
export const shrinkSeed = async (
  failed: SeedResult,
  rerun: (leftOut: string) => Promise<SeedResult>,
): Promise<Shrunk> => {
  const invariant = failed.breaches[0]?.invariant;
  let best: { result: SeedResult; leftOut: string } = { result: failed, leftOut: '' };
  let tries = 0;
  const fails = async (kept: readonly number[]): Promise<boolean> => {
    const leftOut = allBut(kept);
    tries += 1;
    const result = await rerun(leftOut);
    const same = result.breaches.some((breach) => breach.invariant === invariant);
    if (same && result.struck.length <= best.result.struck.length) best = { result, leftOut };
    return same;
  };
  await shrink(
    failed.struck.map(({ ordinal }) => ordinal),
    fails,
    TRIES_MAX,
  );
  return { ...best, tries };
};

const allBut = (kept: readonly number[]): string => {
  const left = new Set(Array.from({ length: ORDINAL_MAX }, (_, index) => index + 1));
  for (const ordinal of kept) left.delete(ordinal);
  return formatOrdinals(left);
};
