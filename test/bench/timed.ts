import { loadavg } from 'node:os';

/** The machine's load over the last minute: figures of a busy machine are upper bounds. */
export const loadNow = (): number => Math.round((loadavg()[0] ?? 0) * 10) / 10;

/** How long an operation takes, ms. */
export const timed = (operation: () => void): number => {
  const start = performance.now();
  operation();
  return performance.now() - start;
};
