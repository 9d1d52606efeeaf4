import * as z from 'zod';
import { Vector } from '../schemas/common.ts';
import { PlacementChange } from '../schemas/explanation.ts';
import { QuoteSummary } from '../schemas/quote.ts';
import { changeLine } from './commands/explain.ts';
import { demand } from './format.ts';
import { quoteWords } from './timeline.ts';

const Changes = z.array(PlacementChange);
const Counts = z.record(z.string(), z.int());

/** Why a request was refused, as people read it: figures with units, one line for each change that would help. */
export function reasonLines(name: string, detail: unknown): string[] {
  const vector = Vector.safeParse(detail);
  if (vector.success) return [`${name}: ${demand(vector.data) || 'nothing'}`];
  const quote = QuoteSummary.safeParse(detail);
  if (name === 'quote' && quote.success) return [`now: ${quoteWords(quote.data)}`];
  const changes = Changes.safeParse(detail);
  if (name === 'changes' && changes.success) return changes.data.map(changeLine);
  const counts = Counts.safeParse(detail);
  if (counts.success) {
    const parts = Object.entries(counts.data).map(([reason, count]) => `${count} ${reason}`);
    return parts.length === 0 ? [] : [`${name}: ${parts.join(', ')}`];
  }
  return [`${name}: ${typeof detail === 'object' ? JSON.stringify(detail) : String(detail)}`];
}
