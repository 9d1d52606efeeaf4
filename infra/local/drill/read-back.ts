import type { ChainHead } from '../../../lib/audit/event.ts';
import type { Client } from '../../../lib/client/client.ts';
import type { SeenEvent } from './check-audit.ts';
import type { SeenResource } from './check-limits.ts';
import type { SeenRecovery } from './check-moves.ts';
import type { SeenAllocation } from './ledger.ts';

/** Largest page that the API gives. */
const PAGE = 500;
/** Chains verified at the same time. */
const VERIFY_TOGETHER = 4;

async function all<T>(pages: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of pages) items.push(item);
  return items;
}

export const readAllocations = (tenant: Client): Promise<SeenAllocation[]> =>
  all(tenant.pages('listAllocations', { query: { limit: PAGE } }));

export const readResources = (operator: Client): Promise<SeenResource[]> =>
  all(operator.pages('listResources', { query: { limit: PAGE } }));

/** All events of a time, in its order. */
export const readEvents = (operator: Client, from: number, to: number): Promise<SeenEvent[]> =>
  all(operator.pages('listEvents', { query: { from, to, limit: PAGE } }));

/** Newest first. */
export const readRecoveries = (operator: Client): Promise<SeenRecovery[]> =>
  all(operator.pages('listRecoveries', { query: { limit: PAGE } }));

/** Position and hash that entities remember as the end of their chains, by the control plane's own check of them. */
export async function readHeads(
  operator: Client,
  entities: readonly string[],
): Promise<ReadonlyMap<string, ChainHead>> {
  const heads = new Map<string, ChainHead>();
  const queue = entities.values();
  const lane = async () => {
    for (const entity of queue) {
      const { events, head } = await operator.call('verifyChain', { query: { entity } });
      heads.set(entity, { rev: events, head });
    }
  };
  await Promise.all(Array.from({ length: VERIFY_TOGETHER }, lane));
  return heads;
}
