import { readFileSync } from 'node:fs';
import * as z from 'zod';

/** A seed that once broke an invariant; it must never again. */
const Entry = z.strictObject({
  seed: z.int().nonnegative(),
  /** As in `--left-out`. */
  leftOut: z.string().default(''),
  /** As in `--factor`. */
  factor: z.number().positive().default(1),
  /** What it found. */
  why: z.string().min(1),
});
export type CorpusEntry = z.infer<typeof Entry>;

/** Every seed that ever failed. Every test run replays them. */
export const readCorpus = (): readonly CorpusEntry[] =>
  z.array(Entry).parse(JSON.parse(readFileSync(new URL('corpus.json', import.meta.url), 'utf8')));
