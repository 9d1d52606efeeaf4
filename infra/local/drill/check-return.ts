import type * as z from 'zod';
import type { Assignments } from '../../../lib/schemas/assignment.ts';
import { isZero } from '../../../lib/vector.ts';
import type { SeenResource } from './check-limits.ts';
import type { SeenRecovery } from './check-moves.ts';

/** The killed host was brought back, counts as healthy, and is told to run nothing of what it ran. Pure. */
export function checkReturn(
  victim: SeenResource,
  assignments: z.output<typeof Assignments>,
  recovery: SeenRecovery,
): readonly string[] {
  const faults: string[] = [];
  const answer = recovery.phases.findLast(({ name }) => name === 'RestoreSystem')?.detail['answer'];
  if (answer !== 'restored') {
    faults.push(`the order to restore ${victim.id} was answered with ${JSON.stringify(answer ?? null)}`);
  }
  if (victim.status !== 'healthy') {
    faults.push(`${victim.id} has not returned: it is ${victim.status}, ${victim.statusReason}`);
  }
  if (victim.groups > 0 || !isZero(victim.used)) {
    faults.push(`${victim.id} still counts ${victim.groups} groups, ${JSON.stringify(victim.used)}`);
  }
  if (assignments.items.length > 0) {
    faults.push(`${victim.id} is still told to run ${assignments.items.length} allocations`);
  }
  return faults;
}
