import { setTimeout as sleep } from 'node:timers/promises';
import type { FleetPlan } from '../sample/fleet-plan.ts';
import { readCounters } from './counter-lines.ts';
import { DrillError } from './drill-error.ts';
import type { Evidence } from './judge.ts';
import type { Ledger } from './ledger.ts';
import { readQuietState } from './read-back.ts';
import type { Clients } from './setup.ts';

/** How often a counter writes, ms. */
export const TICK_MS = 500;
/** What runs writes at least once in this time; a busy machine is late by some ticks. */
export const LIVE_MS = 4 * TICK_MS;

export interface Rehearsed {
  readonly clients: Clients;
  readonly plan: FleetPlan;
  /** Holds TENANT/ALLOCATION.jsonl. */
  readonly workDir: string;
  readonly ledger: Ledger;
  readonly victim: string;
  /** Its id. */
  readonly recovery: string;
  /** Before anything was made, by the control plane's clock. */
  readonly startedAt: number;
}

/** Everything that is left to be read when the recovery has ended and its host has returned. */
export async function readAfter(rehearsed: Rehearsed, signal: AbortSignal): Promise<Evidence['after']> {
  const { clients, plan, workDir, ledger, victim, recovery, startedAt } = rehearsed;
  const liveSince = Date.now();
  await sleep(LIVE_MS, undefined, { signal });
  const counters = readCounters(workDir, plan.tenant.id, ledger.keys());
  const entities = [
    ...plan.labscapes.map(({ id }) => `labscape#${id}`),
    ...plan.resources.map(({ id }) => `resource#${id}`),
    ...[`tenant#${plan.tenant.id}`, `recovery#${recovery}`],
  ];
  const state = await readQuietState(clients, entities, startedAt, signal);
  const assignments = await clients.operator.call('getAssignments', { params: { resource: victim } });
  if (assignments === null) throw new DrillError(`${victim} has no assignments to be read`);
  return { ...state, assignments, counters, liveSince };
}
