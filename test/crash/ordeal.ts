import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { groupByEntity, verifyChain } from '../../lib/audit/chain.ts';
import { type Client, createClient } from '../../lib/client/client.ts';
import type { Allocation } from '../../lib/schemas/allocation.ts';
import type { AuditEvent } from '../../lib/schemas/audit.ts';
import { PHASES } from '../../lib/schemas/recovery.ts';
import { equals, sum, within } from '../../lib/vector.ts';
import type { KilledHost } from './killed-host.ts';

const RESOURCES = ['crash-1', 'crash-2', 'crash-3', 'crash-4'];
const ALLOCATIONS = 48;
const CONVERGED_MS_MAX = 60_000;
/** One order in so many is a drain. */
const DRAINED_EVERY = 3;
/** What an order that was accepted comes to. */
const EMPTIED = { failResource: 'offline', drainResource: 'drained' } as const;
/** Kills at a random moment come within this after the failure, ms: about as long as a recovery works. */
const MOMENT_MS_MAX = 250;

export interface KillOutcome {
  readonly moment: string;
  readonly convergedMs: number;
  readonly faults: readonly string[];
}

/** A small fleet that is killed in the middle of recoveries, again and again, and must lose nothing. */
export class Ordeal {
  readonly #host: KilledHost;
  readonly #uniform: () => number;
  readonly #ledger = new Set<string>();

  constructor(host: KilledHost, uniform: () => number) {
    this.#host = host;
    this.#uniform = uniform;
  }

  get #client(): Client {
    return createClient({
      url: this.#host.url,
      token: async () => this.#host.token,
      chance: { uniform: this.#uniform, id: randomUUID },
    });
  }

  async prepare(): Promise<void> {
    const client = this.#client;
    const policy = { mode: 'automatic', restoreWaitMs: 1_000, coolDownMs: 0, breakerShare: 1 } as const;
    await client.call('joinLabscape', { body: { id: 'crash', policy } });
    const capacity = { processing: 100_000, memory: 100_000, storage: 100_000, network: 100_000 };
    for (const id of RESOURCES)
      await client.call('registerResource', { body: { id, labscape: 'crash', capacity } });
    await client.call('putTenant', { params: { tenant: 'crash' }, body: { quota: capacity } });
    const demand = { processing: 900, memory: 900, storage: 900, network: 900 };
    for (let index = 0; index < ALLOCATIONS; index += 1) {
      const headers = { 'idempotency-key': `crash-${index}` };
      this.#ledger.add((await client.call('allocate', { body: { tenant: 'crash', demand }, headers })).id);
    }
  }

  /** One failure, or one drain, one kill in its middle, one restart; then everything is checked and the resource taken back. */
  async kill(round: number): Promise<KillOutcome> {
    const victim = RESOURCES[round % RESOURCES.length] ?? '';
    const boundary = round % 2 === 0 ? PHASES[Math.floor(this.#uniform() * PHASES.length)] : undefined;
    const order = round % DRAINED_EVERY === 0 ? 'drainResource' : 'failResource';
    const failing = this.#client
      .call(order, { params: { resource: victim }, body: { reason: `kill ${round}` } })
      .catch(() => undefined);
    const moment =
      boundary === undefined ? await this.#randomMoment() : await this.#untilPhase(boundary, failing);
    await this.#host.kill();
    const answered = (await failing) !== undefined;
    await this.#host.start();
    const startedMs = performance.now();
    await this.#untilConverged(victim, order, answered);
    const convergedMs = performance.now() - startedMs;
    const faults = [...(await this.#checkState()), ...(await this.#checkAudit())];
    await this.#takeBack(victim);
    return { moment, convergedMs, faults };
  }

  async #randomMoment(): Promise<string> {
    const ms = Math.floor(this.#uniform() * MOMENT_MS_MAX);
    await sleep(ms);
    return `after ${ms} ms`;
  }

  /** Waits until the recovery stands at the phase or past it. */
  async #untilPhase(
    phase: (typeof PHASES)[number],
    failing: Promise<{ recovery: string } | undefined>,
  ): Promise<string> {
    const begun = await failing;
    if (begun === undefined) return 'before it began';
    for (let looks = 0; looks < 300; looks += 1) {
      const report = await this.#client
        .call('getRecovery', { params: { recovery: begun.recovery } })
        .catch(() => undefined);
      const at = report?.nextPhase;
      if (report !== undefined && (at === undefined || PHASES.indexOf(at) >= PHASES.indexOf(phase)))
        return `at ${at ?? 'its end'}`;
      await sleep(1);
    }
    return `waiting for ${phase}`;
  }

  /** A resource that was declared failed, or told to be drained, has been emptied, or the order never arrived. */
  async #untilConverged(victim: string, order: keyof typeof EMPTIED, answered: boolean): Promise<void> {
    const deadlineMs = performance.now() + CONVERGED_MS_MAX;
    for (;;) {
      const { status, recovery } = await this.#client.call('getResource', { params: { resource: victim } });
      if (recovery === undefined && (status === EMPTIED[order] || (status === 'healthy' && !answered)))
        return;
      if (performance.now() > deadlineMs)
        throw new Error(`${victim} is still ${status}, owned by ${recovery ?? 'nobody'}`);
      await sleep(50);
    }
  }

  async #takeBack(victim: string): Promise<void> {
    const { status } = await this.#client.call('getResource', { params: { resource: victim } });
    if (status === 'offline' || status === 'drained') {
      await this.#client.call('activateResource', {
        params: { resource: victim },
        body: { reason: 'next round' },
      });
    }
  }

  async #checkState(): Promise<string[]> {
    const faults: string[] = [];
    const allocations: Allocation[] = [];
    for await (const a of this.#client.pages('listAllocations', { query: { tenant: 'crash', limit: 500 } }))
      allocations.push(a);
    const ids = new Set(allocations.map((a) => a.id));
    for (const id of this.#ledger) if (!ids.has(id)) faults.push(`allocation ${id} is lost`);
    if (ids.size !== allocations.length) faults.push('an allocation is listed twice');
    for (const a of allocations) if (a.status !== 'placed') faults.push(`allocation ${a.id} is ${a.status}`);
    for await (const resource of this.#client.pages('listResources', {})) {
      const own = allocations.filter((a) => a.resource === resource.id);
      if (!equals(resource.used, sum(own.map((a) => a.demand))))
        faults.push(`${resource.id}: used is not what runs there`);
      if (!within(resource.used, resource.limit)) faults.push(`${resource.id}: over its limit`);
      if ((resource.status === 'offline' || resource.status === 'drained') && own.length > 0)
        faults.push(`${resource.id} is ${resource.status} and owns ${own.length} allocations`);
    }
    return faults;
  }

  async #checkAudit(): Promise<string[]> {
    const events: AuditEvent[] = [];
    for await (const event of this.#client.pages('listEvents', { query: { limit: 500 } })) events.push(event);
    const chains = groupByEntity(events);
    const faults = [...chains].flatMap(([entity, chain]) =>
      verifyChain(entity, chain).map((f) => `${entity} ${f.rev}: ${f.fault}`),
    );
    for (const resource of RESOURCES) {
      const answer = await this.#client.call('verifyChain', { query: { entity: `resource#${resource}` } });
      if (!answer.verified) faults.push(`resource#${resource} does not verify against its head`);
    }
    return faults;
  }
}
