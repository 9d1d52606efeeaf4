import { groupByEntity } from '../../audit/chain.ts';
import type { ChainHead } from '../../audit/event.ts';
import type { AuditEvent } from '../../schemas/audit.ts';

/** Of each chain what was made until `point`, up to the first event that was not. An event that came twice counts once. */
export function eventsUntil(events: Iterable<AuditEvent>, point: number): AuditEvent[] {
  const kept: AuditEvent[] = [];
  for (const chain of groupByEntity(events).values()) {
    let last = 0;
    for (const event of chain) {
      if (event.rev === last) continue;
      if (event.at > point) break;
      kept.push(event);
      last = event.rev;
    }
  }
  return kept;
}

/** Where each chain ends. */
export function headsOf(events: Iterable<AuditEvent>): Map<string, ChainHead & { readonly at: number }> {
  const heads = new Map<string, ChainHead & { readonly at: number }>();
  for (const { entity, rev, hash, at } of events)
    if (rev > (heads.get(entity)?.rev ?? 0)) heads.set(entity, { rev, head: hash, at });
  return heads;
}
