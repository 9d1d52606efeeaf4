import { ApiProblem } from '../../../lib/client/api-error.ts';
import type { Client } from '../../../lib/client/client.ts';
import type { FleetPlan } from './fleet-plan.ts';

/** How many allocations are asked for at the same time: enough to be quick, few enough to conflict rarely. */
const ALLOCATE_TOGETHER = 4;

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

/** Takes resources back that went offline while the fleet was down; what an operator drained stays drained. */
export async function activateOffline(operator: Client, plan: FleetPlan): Promise<void> {
  const ours = new Set(plan.resources.map(({ id }) => id));
  for await (const { id, status } of operator.pages('listResources')) {
    if (status !== 'offline' || !ours.has(id)) continue;
    const body = { reason: 'the sample fleet was started again' };
    await operator.call('activateResource', { params: { resource: id }, body }).catch(() => undefined);
  }
}

/** Places the work; returns how many demands were placed, wait, or were refused, by reason. */
export async function allocateWork(operator: Client, plan: FleetPlan): Promise<Record<string, number>> {
  const outcomes: Record<string, number> = {};
  const queue = [...plan.allocations];
  const note = (outcome: string) => {
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
  };
  const lane = async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      try {
        const headers = { 'idempotency-key': next.key };
        note((await operator.call('allocate', { body: next.input, headers })).status);
      } catch (error) {
        if (!(error instanceof ApiProblem)) throw error;
        note(error.code);
      }
    }
  };
  await Promise.all(Array.from({ length: ALLOCATE_TOGETHER }, lane));
  return outcomes;
}
