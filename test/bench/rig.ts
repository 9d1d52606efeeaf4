import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Host, startHost } from '../../infra/local/host.ts';
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

/** Phases of a recovery whose end the bench waits for; a recovery that ends otherwise never reaches Close. */
const LAST = new Set(['Close', 'Compensate', 'Park']);
const END_TIMEOUT_MS = 120_000;

/** Settles at the first run of one of `phases`, by the metric the task writes: asking the API would load what is measured. */
const phaseRun = (bench: Bench, phases: ReadonlySet<string>): Promise<void> =>
  new Promise((resolve, reject) => {
    const end = (settle: () => void): void => {
      clearTimeout(timer);
      stopListening();
      settle();
    };
    const timer = setTimeout(
      () => end(() => reject(new Error(`no ${[...phases].join(' or ')} in ${END_TIMEOUT_MS} ms`))),
      END_TIMEOUT_MS,
    );
    const stopListening = bench.host.onMetric((_, emf) => {
      const { phase } = emf as { phase?: string };
      if (phase !== undefined && phases.has(phase)) end(resolve);
    });
  });

/** Starts a recovery of `resource`, answers its restore order as the labscape would, and waits to its end. */
const recovered = async (
  bench: Bench,
  resource: string,
  start: () => Promise<{ recovery: string }>,
): Promise<Recovery> => {
  const ordered = phaseRun(bench, new Set([...LAST, 'RestoreSystem']));
  const ended = phaseRun(bench, LAST);
  const { recovery } = await start();
  await ordered;
  const { epoch } = await bench.operator.call('getResource', { params: { resource } });
  await bench.operator.call('report', {
    params: { resource },
    body: { agent: 'bench', epoch, restore: { recovery, outcome: 'restored' } },
  });
  await ended;
  // The task that closes is counted before the state machine has its answer.
  while (bench.host.executions().some(({ name, status }) => name === recovery && status === 'RUNNING'))
    await sleep(1);
  return bench.operator.call('getRecovery', { params: { recovery } });
};

export const failAndRecover = async (bench: Bench, resource: string): Promise<Recovery> => {
  const report = await recovered(bench, resource, () =>
    bench.operator.call('failResource', { params: { resource }, body: { reason: 'bench' } }),
  );
  await bench.operator.call('activateResource', { params: { resource }, body: { reason: 'bench' } });
  return report;
};

export const drainAndReturn = async (bench: Bench, resource: string): Promise<Recovery> => {
  const report = await recovered(bench, resource, () =>
    bench.operator.call('drainResource', { params: { resource }, body: { reason: 'bench' } }),
  );
  await bench.operator.call('activateResource', { params: { resource }, body: { reason: 'bench' } });
  return report;
};
