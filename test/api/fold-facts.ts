import { expect } from '@jest/globals';
import { foldEvents } from '../../lib/audit/fold.ts';
import { reconcileState } from '../../lib/audit/reconcile-state.ts';
import { collect, type Rig } from './rig.ts';

/** Everything that the resources say of themselves agrees with what all events rebuild. */
export async function expectFoldAgrees(rig: Rig): Promise<void> {
  const events = await collect(rig.admin.pages('listEvents', { query: { limit: 500 } }));
  const folded = foldEvents(events);
  expect(folded.faults).toEqual([]);
  const resources = await collect(rig.admin.pages('listResources'));
  expect(
    reconcileState(folded, { resources, allocations: [] }).filter((line) => !line.includes('allocation')),
  ).toEqual([]);
}
