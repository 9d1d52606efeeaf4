import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Host, startHost } from '../../infra/local/host.ts';
import { ApiProblem } from '../../lib/client/api-error.ts';
import { type Client, createClient } from '../../lib/client/client.ts';
import type { Vector } from '../../lib/schemas/common.ts';
import type { Recovery } from '../../lib/schemas/recovery.ts';

/** A host without the guards that distort timing, and an operator's client. */
export interface Bench {
  readonly host: Host;
  readonly operator: Client;
  readonly token: string;
  stop(): Promise<void>;
}

const TOKEN_TTL_S = 4 * 3600;

export const startBench = async (options: { guards?: boolean } = {}): Promise<Bench> => {
  const host = await startHost({
    port: 0,
    guards: options.guards ?? false,
    logLevel: 'silent',
    schedules: false,
  });
  const token = await host.mint({ sub: 'bench', roles: ['admin'], ttlSeconds: TOKEN_TTL_S });
  const operator = createClient({
    url: host.url,
    token: async () => token,
    chance: { uniform: Math.random, id: randomUUID },
  });
  return { host, operator, token, stop: () => host.stop() };
};

export const TENANT = 'bench';
export const vector = (
  processing: number,
  memory = processing,
  storage = processing,
  network = processing,
): Vector => ({
  processing,
  memory,
  storage,
  network,
});

export const setUpFleet = async (
  bench: Bench,
  labscape: string,
  capacities: ReadonlyMap<string, Vector>,
): Promise<void> => {
  const { operator } = bench;
  await operator.call('joinLabscape', {
    body: {
      id: labscape,
      policy: { mode: 'automatic', fill: 'none', restoreWaitMs: 1_000, coolDownMs: 0, breakerShare: 1 },
    },
  });
  for (const [id, capacity] of capacities)
    await operator.call('registerResource', { body: { id, labscape, capacity } });
  await operator.call('putTenant', {
    params: { tenant: TENANT },
    body: { quota: vector(1_000_000_000), slices: 8 },
  });
};

/** `count` allocations of one demand, in lanes. */
export const allocateMany = async (
  bench: Bench,
  count: number,
  demand: Vector,
  options: {
    readonly lanes?: number;
    readonly prefix?: string;
    readonly labels?: Record<string, string>;
  } = {},
): Promise<void> => {
  const { lanes = 4, prefix = 'b', labels } = options;
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let index = next++; index < count; index = next++) {
      const body = { tenant: TENANT, demand, ...(labels === undefined ? {} : { constraints: { labels } }) };
      await bench.operator.call('allocate', { body, headers: { 'idempotency-key': `${prefix}-${index}` } });
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
};

/** Sets what a resource can hold. */
export const setCapacity = async (
  bench: Bench,
  resource: string,
  capacity: Vector,
  labels: Record<string, string> = {},
): Promise<void> => {
  await bench.operator.call('editResource', {
    params: { resource },
    body: { capacity, labels },
    headers: { 'if-match': '*' },
  });
};

const ENDED = new Set(['done', 'degraded', 'refused', 'cancelled', 'parked']);

/** Waits to the end of a recovery; answers the restore order for its resource as the labscape would. */
export const untilEnded = async (bench: Bench, recovery: string, resource: string): Promise<Recovery> => {
  let answered = false;
  for (;;) {
    const report = await bench.operator
      .call('getRecovery', { params: { recovery } })
      .catch((error: unknown) => {
        if (error instanceof ApiProblem && error.status === 404) return undefined;
        throw error;
      });
    if (report !== undefined && ENDED.has(report.status)) return report;
    if (!answered && report?.phases.some((phase) => phase.name === 'RestoreSystem') === true) {
      answered = true;
      await bench.operator.call('report', {
        params: { resource },
        body: { agent: 'bench', epoch: report.epoch, restore: { recovery, outcome: 'restored' } },
      });
    }
    await sleep(2);
  }
};

export const failAndRecover = async (bench: Bench, resource: string): Promise<Recovery> => {
  const { recovery } = await bench.operator.call('failResource', {
    params: { resource },
    body: { reason: 'bench' },
  });
  const report = await untilEnded(bench, recovery, resource);
  await bench.operator.call('activateResource', { params: { resource }, body: { reason: 'bench' } });
  return report;
};

export const drainAndReturn = async (bench: Bench, resource: string): Promise<Recovery> => {
  const { recovery } = await bench.operator.call('drainResource', {
    params: { resource },
    body: { reason: 'bench' },
  });
  const report = await untilEnded(bench, recovery, resource);
  await bench.operator.call('activateResource', { params: { resource }, body: { reason: 'bench' } });
  return report;
};
