import type * as z from 'zod';
import { groupByEntity, verifyChain } from '../../../lib/audit/chain.ts';
import { type ChainHead, entityOf } from '../../../lib/audit/event.ts';
import { foldEvents } from '../../../lib/audit/fold.ts';
import { reconcileState, type SeenState } from '../../../lib/audit/reconcile-state.ts';
import type { AuditEvent } from '../../../lib/schemas/audit.ts';
import type { Ledger } from './ledger.ts';

export type SeenEvent = z.output<typeof AuditEvent>;

export interface AuditFacts {
  readonly events: readonly SeenEvent[];
  /** What entities say is the end of their chain, where the API tells it: only so is a cut-off end seen. */
  readonly heads: ReadonlyMap<string, ChainHead>;
  readonly ledger: Ledger;
  readonly tenant: string;
  readonly seen: SeenState;
}

/**
 * Checks what was downloaded, here: every chain is whole, every accepted allocation has its event, and the events
 * alone rebuild the state that the API tells. Pure.
 */
export function checkAudit({ events, heads, ledger, tenant, seen }: AuditFacts): readonly string[] {
  const faults: string[] = [];
  const chains = groupByEntity(events);
  for (const [entity, chain] of chains) {
    for (const { rev, fault } of verifyChain(entity, chain, heads.get(entity))) {
      faults.push(`${entity} at ${rev}: ${fault}`);
    }
  }
  for (const entity of heads.keys()) {
    if (!chains.has(entity)) faults.push(`${entity}: has a history, and no event of it was found`);
  }
  for (const id of ledger.keys()) {
    const [first] = chains.get(entityOf.allocation(tenant, id)) ?? [];
    if (first?.type !== 'allocation.placed') faults.push(`allocation ${id} is unaudited`);
  }
  const folded = foldEvents(events);
  return [...faults, ...folded.faults, ...reconcileState(folded, seen)];
}
