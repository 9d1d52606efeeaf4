/** Like map, so many at a time, in order. A lane that throws ends all: its error is the answer's. */
export const inLanes = async <T, U>(
  items: readonly T[],
  lanes: number,
  work: (item: T) => Promise<U>,
): Promise<readonly U[]> => {
  const results: U[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let at = next++; at < items.length; at = next++) results[at] = await work(items[at] as T);
  };
  await Promise.all(Array.from({ length: Math.min(lanes, items.length) }, lane));
  return results;
};
