/** Elements that one step sorts; or it merges up to twice as many. */
const STEP = 32;

/** What comes of work that its caller spreads over many calls; a `next` is one of them. */
export type InSteps<T> = Generator<undefined, T, undefined>;

/** A sorted copy; stable. Up to n / 32 · (1 + log2(n / 32)) steps. */
export function* sortedInSteps<T>(items: readonly T[], order: (a: T, b: T) => number): InSteps<readonly T[]> {
  let runs: (readonly T[])[] = [];
  for (let at = 0; at < items.length; at += STEP) {
    runs.push(items.slice(at, at + STEP).sort(order));
    yield;
  }
  while (runs.length > 1) {
    const longer: (readonly T[])[] = [];
    for (let i = 0; i < runs.length; i += 2) {
      longer.push(yield* mergedInSteps(runs[i] ?? [], runs[i + 1] ?? [], order));
      yield;
    }
    runs = longer;
  }
  return runs[0] ?? [];
}

function* mergedInSteps<T>(
  a: readonly T[],
  b: readonly T[],
  order: (a: T, b: T) => number,
): InSteps<readonly T[]> {
  const merged: T[] = [];
  let [i, j] = [0, 0];
  for (;;) {
    const [x, y] = [a[i], b[j]];
    if (x === undefined || y === undefined) return [...merged, ...a.slice(i), ...b.slice(j)];
    const first = order(x, y) <= 0;
    merged.push(first ? x : y);
    if (first) i += 1;
    else j += 1;
    if (merged.length % (2 * STEP) === 0) yield;
  }
}
