/** Reproducible chance in [0, 1) for what takes chance as a parameter: a 31-bit linear generator (Park and Miller, 1988). */
export const seeded = (seed: number): (() => number) => {
  let state = (seed % 2_147_483_646) + 1;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return (state - 1) / 2_147_483_646;
  };
};
