import { setTimeout as sleep } from 'node:timers/promises';
import { ApiProblem } from '../../../lib/client/api-error.ts';
import type { Client } from '../../../lib/client/client.ts';
import type { FleetPlan } from './fleet-plan.ts';

/** How many allocations are asked for at the same time: enough to be quick, few enough to conflict rarely. */
const ALLOCATE_TOGETHER = 4;
/** A labscape whose resources are all suspect for a moment has no room for work that is tied to it. */
const ROOM_TRIES = 6;
const ROOM_AGAIN_MS = 1_000;

/** Ours from the run before: data folders are used again. */
async function unlessThere<T>(call: Promise<T>): Promise<void> {
  try {
    await call;
  } catch (error) {
    if (!(error instanceof ApiProblem) || error.code !== 'already-exists') throw error;
  }
}

/** Joins the labscapes and registers resources and tenant; what exists stays as it is. */
export async function registerFleet(operator: Client, plan: FleetPlan): Promise<void> {
  for (const body of plan.labscapes) await unlessThere(operator.call('joinLabscape', { body }));
  for (const body of plan.resources) await unlessThere(operator.call('registerResource', { body }));
  const { id: tenant, quota, slices } = plan.tenant;
  await operator.call('putTenant', { params: { tenant }, body: { quota, slices } });
}

/**
 * Calls what the fleet and its visitors will call: a function's first call loads it, which on a small machine takes
 * long enough to cost a resource its lease if it happens while agents beat.
 */
export async function warmUp(operator: Client, plan: FleetPlan): Promise<void> {
  const tenant = plan.tenant.id;
  await operator.call('getStatus');
  await operator.call('listAllocations', { query: { tenant, limit: 1 } });
  await operator.call('listRecoveries', { query: { limit: 1 } });
  await operator.call('listEvents', { query: { limit: 1 } });
  const resource = plan.resources[0]?.id;
  if (resource !== undefined) await operator.call('getAssignments', { params: { resource } });
}

/** Takes resources back that went offline while the fleet was down; what an operator drained stays drained. */
export async function activateOffline(operator: Client, plan: FleetPlan): Promise<void> {
  const ours = new Set(plan.resources.map(({ id }) => id));
  for await (const { id, status } of operator.pages('listResources')) {
    if (status !== 'offline' || !ours.has(id)) continue;
    const body = { reason: 'the sample fleet was started again' };
    await operator.call('activateResource', { params: { resource: id }, body }).catch(() => undefined);
  }
}

async function allocateOne(
  operator: Client,
  { key, input }: FleetPlan['allocations'][number],
  onWait: () => void,
): Promise<string> {
  for (let tries = 1; ; tries += 1) {
    try {
      const headers = { 'idempotency-key': key };
      return (await operator.call('allocate', { body: input, headers })).status;
    } catch (error) {
      if (!(error instanceof ApiProblem)) throw error;
      if (error.code !== 'no-capacity' || tries >= ROOM_TRIES) return error.code;
      onWait();
      await sleep(ROOM_AGAIN_MS);
    }
  }
}

/** Places the work; returns how many demands were placed, wait, or were refused, by reason. */
export async function allocateWork(
  operator: Client,
  plan: FleetPlan,
  progress: (step: string) => void,
): Promise<Record<string, number>> {
  const outcomes: Record<string, number> = {};
  const queue = [...plan.allocations];
  let waits = false;
  const onWait = () => {
    if (!waits) progress('some of it finds no room while hosts are suspect: it is tried again every second');
    waits = true;
  };
  const note = (outcome: string) => {
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
  };
  const lane = async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      note(await allocateOne(operator, next, onWait));
    }
  };
  await Promise.all(Array.from({ length: ALLOCATE_TOGETHER }, lane));
  return outcomes;
}
