import { groupByEntity, verifyChain } from '../../lib/audit/chain.ts';
import { foldEvents } from '../../lib/audit/fold.ts';
import { reconcileState } from '../../lib/audit/reconcile-state.ts';
import type { AuditEvent } from '../../lib/schemas/audit.ts';
import { collect, type Rig } from '../api/rig.ts';
import type { Site } from '../api/site.ts';

/** A clock that was set back leaves events that lie ahead of it. */
const FAR_MS = 24 * 3_600_000;

/** All events of the host, also those that lie ahead of the clock. */
export async function allEvents(rig: Rig): Promise<AuditEvent[]> {
  const now = Date.now();
  const range = { from: now - FAR_MS, to: now + FAR_MS };
  return collect(rig.admin.pages('listEvents', { query: { ...range, limit: 500 } }));
}

/** Types of the events that tell of a failed verdict or of a recovery, by entity. */
export async function failures(rig: Rig): Promise<string[]> {
  const telling = (await allEvents(rig)).filter(({ type, body }) => isVerdict(type) || 'recovery' in body);
  return telling.map(({ entity, type }) => `${entity} ${type}`);
}

const isVerdict = (type: string): boolean => type === 'resource.failed' || type.startsWith('recovery.');

/**
 * Checks what `labscape audit verify` and the drill check: every chain is whole, and the events alone rebuild the
 * state that the API tells. The events are read first.
 */
export async function auditFaults(rig: Rig, sites: readonly Site[]): Promise<string[]> {
  const events = await allEvents(rig);
  const chains = groupByEntity(events);
  const broken = [...chains].flatMap(([entity, chain]) =>
    verifyChain(entity, chain).map(({ rev, fault }) => `${entity} at ${rev}: ${fault}`),
  );
  const folded = foldEvents(events);
  const resources = await collect(rig.admin.pages('listResources', {}));
  const lists = await Promise.all(
    sites.map(({ tenant }) => collect(rig.admin.pages('listAllocations', { query: { tenant } }))),
  );
  return [...broken, ...folded.faults, ...reconcileState(folded, { resources, allocations: lists.flat() })];
}
