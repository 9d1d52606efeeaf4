import type * as z from 'zod';
import { DIMENSIONS } from '../../../lib/schemas/common.ts';
import type { Quote } from '../../../lib/schemas/quote.ts';
import { add } from '../../../lib/vector.ts';
import type { SeenResource } from './check-limits.ts';
import { groupsOn } from './check-moves.ts';
import type { SeenAllocation } from './ledger.ts';

export type SeenQuote = z.output<typeof Quote>;

/**
 * A quote against what was seen: each group of the victims is in it once, nothing goes to a victim, and no target would
 * pass its limit. Pure.
 */
export function checkQuote(
  quote: SeenQuote,
  victims: readonly string[],
  allocations: readonly SeenAllocation[],
  resources: readonly SeenResource[],
): readonly string[] {
  const faults: string[] = [];
  const held = victims.flatMap((victim) => groupsOn(victim, allocations).map(({ group }) => group)).sort();
  const quoted = [...quote.moves, ...quote.pending].map(({ group }) => group).sort();
  if (JSON.stringify(held) !== JSON.stringify(quoted))
    faults.push(`the quote has ${quoted.length} groups, the victims hold ${held.length}`);
  const used = new Map(resources.map(({ id, used: now }) => [id, now]));
  for (const { group, to, demand } of quote.moves) {
    if (victims.includes(to)) faults.push(`group ${group} would go to ${to}, which fails as well`);
    const before = used.get(to);
    if (before !== undefined) used.set(to, add(before, demand));
  }
  for (const { id, limit } of resources)
    for (const dimension of DIMENSIONS) {
      const after = used.get(id)?.[dimension] ?? 0;
      if (after > limit[dimension])
        faults.push(`${id} would use ${after} of ${limit[dimension]} ${dimension}`);
    }
  return faults;
}
