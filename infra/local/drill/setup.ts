import { randomUUID } from 'node:crypto';
import { type Client, createClient } from '../../../lib/client/client.ts';
import { Constraints } from '../../../lib/schemas/allocation.ts';
import type { MintRequest } from '../gateway/issuer.ts';
import type { FleetPlan } from '../sample/fleet-plan.ts';
import { DrillError } from './drill-error.ts';
import type { DrillRun } from './drill-run.ts';
import type { Ledger, LedgerEntry } from './ledger.ts';
import type { Scope } from './scope.ts';

/** Longer than any drill takes. */
const TOKEN_TTL_S = 3_600;
/**
 * Allocations asked for at the same time. All of them want the emptiest resource, so more of them collide more often:
 * on two cores 2 take as long as 4, and 8 take half as long again.
 */
const ALLOCATE_TOGETHER = 3;

export interface Clients {
  /** Registers, watches, reads the audit. */
  readonly operator: Client;
  /** Owns the work. */
  readonly tenant: Client;
  /** Where both are somebody who sees more than the drill's own. */
  readonly scope?: Scope;
}

export async function clientsFor(
  host: { readonly url: string; mint(request: MintRequest): Promise<string> },
  tenant: string,
): Promise<Clients> {
  const client = async (request: MintRequest): Promise<Client> => {
    const token = await host.mint({ ...request, ttlSeconds: TOKEN_TTL_S });
    return createClient({
      url: host.url,
      chance: { uniform: Math.random, id: randomUUID },
      token: () => token,
      userAgent: 'labscape-drill',
    });
  };
  return {
    operator: await client({ sub: 'drill-operator', roles: ['admin'] }),
    tenant: await client({ sub: 'drill-tenant', roles: ['tenant'], tenant }),
  };
}

export interface Allocated {
  readonly ledger: Ledger;
  /** Of each request, its repetitions included, ms; ascending. */
  readonly latenciesMs: readonly number[];
  readonly tookMs: number;
}

/** Makes the plan's allocations and writes each accepted one down. Throws DrillError when one is not placed. */
export async function allocateAll(
  client: Client,
  plan: FleetPlan,
  onPlaced: (done: number) => void,
  signal: AbortSignal,
): Promise<Allocated> {
  const startedMs = performance.now();
  const ledger = new Map<string, LedgerEntry>();
  const latenciesMs: number[] = [];
  const queue = plan.allocations.values();
  const lane = async () => {
    // The lanes share one iterator: each takes the next one.
    for (const { key, input } of queue) {
      signal.throwIfAborted();
      const sentMs = performance.now();
      const headers = { 'idempotency-key': key };
      const answer = await client.call('allocate', { body: input, headers }, { signal });
      latenciesMs.push(performance.now() - sentMs);
      if (answer.status !== 'placed')
        throw new DrillError(`allocation ${key} is ${answer.status}, not placed`);
      const constraints = Constraints.parse(input.constraints ?? {});
      ledger.set(answer.id, { id: answer.id, class: answer.class, demand: input.demand, constraints });
      onPlaced(ledger.size);
    }
  };
  await Promise.all(Array.from({ length: ALLOCATE_TOGETHER }, lane));
  if (ledger.size !== plan.allocations.length) {
    throw new DrillError(`${plan.allocations.length} allocations were accepted under ${ledger.size} ids`);
  }
  latenciesMs.sort((a, b) => a - b);
  return { ledger, latenciesMs, tookMs: performance.now() - startedMs };
}

export function setupOf({ latenciesMs, tookMs }: Allocated): DrillRun['setup'] {
  const at = (share: number) => latenciesMs[Math.floor(share * (latenciesMs.length - 1))] ?? 0;
  return { allocateMs: tookMs, p50Ms: at(0.5), p99Ms: at(0.99) };
}
