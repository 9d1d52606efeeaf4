import { setTimeout as sleep } from 'node:timers/promises';
import type * as z from 'zod';
import { ApiProblem } from '../client/api-error.ts';
import type { Client } from '../client/client.ts';
import { jitteredMs, RETRY_NEVER } from '../client/retry.ts';
import type { Chance } from '../clock.ts';
import type { RESTORE_OUTCOMES } from '../schemas/assignment.ts';
import type { Order } from '../schemas/heartbeat.ts';
import { cut } from '../schemas/text.ts';
import type { AgentConfig } from './config.ts';
import { hookEnvironment, runHook } from './hook.ts';
import { type Log, reasonOf } from './log.ts';

export interface Restored {
  readonly outcome: (typeof RESTORE_OUTCOMES)[number];
  readonly reason?: string;
}
/** Brings a failed resource back, or says why not. */
export type Restore = (order: z.output<typeof Order>) => Promise<Restored>;

export interface DeskDeps {
  readonly agent: string;
  readonly client: Client;
  readonly chance: Chance;
  readonly log: Log;
  readonly restore: Restore;
}

const REPORT_BACKOFF = { baseMs: 200, capMs: 5_000 };
/** About half a minute of trying: longer than most recoveries wait for the word. */
const REPORT_TRIES_MAX = 12;
/** Orders remembered as done; they come again with each beat until the answer is heard. */
const REMEMBERED_MAX = 1_000;
const REASON_LENGTH_MAX = 200;

/** Carries out each order once, whatever the number of beats that bring it, and answers it. */
export class OrderDesk {
  readonly #deps: DeskDeps;
  readonly #taken = new Set<string>();

  constructor(deps: DeskDeps) {
    this.#deps = deps;
  }

  take(orders: readonly z.output<typeof Order>[]): void {
    for (const order of orders) {
      const key = `${order.recovery} ${order.resource} ${order.issuedAt}`;
      if (this.#taken.has(key)) continue;
      this.#taken.add(key);
      const oldest = this.#taken.values().next().value;
      if (this.#taken.size > REMEMBERED_MAX && oldest !== undefined) this.#taken.delete(oldest);
      void this.#carryOut(order);
    }
  }

  async #carryOut(order: z.output<typeof Order>): Promise<void> {
    const { resource, recovery } = order;
    let done: Restored;
    try {
      done = await this.#deps.restore(order);
    } catch (error) {
      done = { outcome: 'refused', reason: reasonOf(error) };
    }
    this.#deps.log('info', 'restore order carried out', { resource, recovery, ...done });
    const reason = cut(done.reason ?? '', REASON_LENGTH_MAX);
    await this.#answer(resource, { recovery, outcome: done.outcome, ...(reason && { reason }) });
  }

  async #answer(resource: string, restore: Restored & { recovery: string }): Promise<void> {
    const { agent, client, chance, log } = this.#deps;
    for (let tries = 0; tries < REPORT_TRIES_MAX; tries += 1) {
      try {
        const body = { agent, epoch: 0, restore };
        await client.call('report', { params: { resource }, body }, { retry: RETRY_NEVER });
        return;
      } catch (error) {
        // The recovery has ended or was answered by another agent: nobody waits any more.
        const settled = error instanceof ApiProblem && error.status < 500 && error.status !== 429;
        const level = settled ? 'info' : 'warn';
        log(level, 'restore answer not accepted', { resource, reason: reasonOf(error), tries });
        if (settled) return;
      }
      await sleep(jitteredMs(REPORT_BACKOFF, tries, chance));
    }
  }
}

/** A restore hook that is a command: its exit code decides, and its last word may name the outcome. */
export function commandRestore(
  argv: readonly string[],
  hooks: AgentConfig['hooks'],
  environment: Readonly<Record<string, string | undefined>>,
): Restore {
  return async (order) => {
    const env = hookEnvironment(environment, hooks.env, {
      LABSCAPE_RESOURCE: order.resource,
      LABSCAPE_RECOVERY: order.recovery,
    });
    const result = await runHook(argv, { env, timeoutMs: hooks.restoreWithinMs });
    const lastWord = /(\w+)\s*$/.exec(result.output)?.[1];
    if (result.code !== 0) return { outcome: 'refused', reason: `${result.reason}: ${result.output}` };
    if (lastWord === 'replaced' || lastWord === 'gone') return { outcome: lastWord };
    return { outcome: 'restored' };
  };
}
