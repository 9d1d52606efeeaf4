import { setTimeout as sleep } from 'node:timers/promises';
import type { ChainHead } from '../../../lib/audit/event.ts';
import type { Client } from '../../../lib/client/client.ts';
import type { SeenEvent } from './check-audit.ts';
import type { SeenResource } from './check-limits.ts';
import type { SeenRecovery } from './check-moves.ts';
import type { SeenAllocation } from './ledger.ts';
import type { Scope } from './scope.ts';
import type { Clients } from './setup.ts';

/** Largest page that the API gives. */
const PAGE = 500;
/** More than a whole control plane starts in the few minutes that a drill takes. */
const LATEST_RECOVERIES = 100;
/** Chains verified at the same time. */
const VERIFY_TOGETHER = 4;
/** Looks at a fleet that will not keep still: verdicts come and go where a machine is busy. */
const LOOKS_MAX = 6;
const LOOK_AGAIN_MS = 500;
/** Events that a clock read a moment earlier or later has dated lie within this, ms. */
const TIME_SLACK_MS = 5_000;

async function all<T>(pages: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of pages) items.push(item);
  return items;
}

export const readAllocations = (client: Client, { tenant }: Scope = {}): Promise<SeenAllocation[]> =>
  all(client.pages('listAllocations', { query: { limit: PAGE, ...(tenant !== undefined && { tenant }) } }));

export const readResources = (operator: Client, { labscape }: Scope = {}): Promise<SeenResource[]> =>
  all(
    operator.pages('listResources', { query: { limit: PAGE, ...(labscape !== undefined && { labscape }) } }),
  );

/** All events of a time, in its order. */
export const readEvents = (operator: Client, from: number, to: number): Promise<SeenEvent[]> =>
  all(operator.pages('listEvents', { query: { from, to, limit: PAGE } }));

/** Newest first; of one labscape only the latest, since the API lists those of all, and as far back as there are any. */
export async function readRecoveries(operator: Client, { labscape }: Scope = {}): Promise<SeenRecovery[]> {
  if (labscape === undefined) return all(operator.pages('listRecoveries', { query: { limit: PAGE } }));
  const { items } = await operator.call('listRecoveries', { query: { limit: LATEST_RECOVERIES } });
  return items.filter((recovery) => recovery.labscape === labscape);
}

/** Position and hash that entities remember as the end of their chains, by the control plane's own check of them. */
async function readHeads(
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

export interface QuietState {
  readonly allocations: readonly SeenAllocation[];
  readonly resources: readonly SeenResource[];
  readonly events: readonly SeenEvent[];
  readonly heads: ReadonlyMap<string, ChainHead>;
}

/** All that can be told apart from one reading to the next, but for heartbeats. */
const stateOf = (resources: readonly SeenResource[]): string =>
  JSON.stringify(resources.map(({ lastBeatAt: _, ...resource }) => resource));

/**
 * Events, heads and state that belong together: they come in many requests, so all of them are read again if a
 * resource has changed meanwhile. `since` is of the control plane's clock.
 */
export async function readQuietState(
  { operator, tenant, scope = {} }: Clients,
  entities: readonly string[],
  since: number,
  signal: AbortSignal,
): Promise<QuietState> {
  const { isOf = () => true } = scope;
  for (let look = 1; ; look += 1) {
    const before = stateOf(await readResources(operator, scope));
    const heads = await readHeads(operator, entities);
    // Events are dated by the control plane's clock.
    const { at } = await operator.call('getStatus');
    const found = await readEvents(operator, since - TIME_SLACK_MS, at + TIME_SLACK_MS);
    const events = found.filter(({ entity }) => isOf(entity));
    const allocations = await readAllocations(tenant, scope);
    const resources = await readResources(operator, scope);
    if (stateOf(resources) === before || look >= LOOKS_MAX) return { allocations, resources, events, heads };
    await sleep(LOOK_AGAIN_MS, undefined, { signal });
  }
}
