import type { Constraints } from '../schemas/allocation.ts';
import { type Candidate, holdsSpread } from './candidate.ts';

/** Whether something of the same key is here already, by whatever rule: others are better. */
export const isCrowded = ({ spread }: Pick<Candidate, 'spread'>, { spread: wanted }: Constraints): boolean =>
  wanted !== undefined && holdsSpread(spread, wanted.key);
