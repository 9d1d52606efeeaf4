/**
 * Delta debugging (Zeller, Hildebrandt: Simplifying and Isolating Failure-Inducing Input, 2002): a smallest part of
 * `all` that still fails, in that no single element can go. Looks at `tries` parts at most, then gives the smallest seen.
 */
export const shrink = async <T>(
  all: readonly T[],
  fails: (kept: readonly T[]) => Promise<boolean>,
  triesMax: number,
): Promise<readonly T[]> => {
  let tries = 0;
  const stillFails = async (kept: readonly T[]): Promise<boolean> => {
    tries += 1;
    return tries <= triesMax && fails(kept);
  };
  if (await stillFails([])) return [];
  let kept = all;
  let parts = 2;
  while (kept.length >= 2 && tries < triesMax) {
    const size = Math.ceil(kept.length / parts);
    const smaller = await firstThatFails(kept, size, stillFails);
    if (smaller !== undefined) {
      // A half that fails alone is cut in halves again; what was left out of many parts is tried at the same grain.
      parts = smaller.length <= size ? 2 : Math.max(2, parts - 1);
      kept = smaller;
    } else if (size === 1) return kept;
    else parts = Math.min(kept.length, parts * 2);
  }
  return kept;
};

const firstThatFails = async <T>(
  kept: readonly T[],
  size: number,
  fails: (kept: readonly T[]) => Promise<boolean>,
): Promise<readonly T[] | undefined> => {
  const starts = Array.from({ length: Math.ceil(kept.length / size) }, (_, index) => index * size);
  for (const at of starts) {
    const part = kept.slice(at, at + size);
    if (part.length < kept.length && (await fails(part))) return part;
  }
  // Of two parts each is the other's rest.
  if (starts.length <= 2) return undefined;
  for (const at of starts) {
    const rest = [...kept.slice(0, at), ...kept.slice(at + size)];
    if (await fails(rest)) return rest;
  }
  return undefined;
};
