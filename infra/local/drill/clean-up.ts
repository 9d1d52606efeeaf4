import { ApiProblem } from '../../../lib/client/api-error.ts';
import type { Client } from '../../../lib/client/client.ts';
import type { ResourceStatus } from '../../../lib/schemas/resource.ts';
import { isZero, ZERO } from '../../../lib/vector.ts';
import { asError } from '../errors.ts';
import type { FleetPlan } from '../sample/fleet-plan.ts';
import type { SeenResource } from './check-limits.ts';
import type { SeenAllocation } from './ledger.ts';
import { readAllocations, readRecoveries, readResources } from './read-back.ts';
import type { Scope } from './scope.ts';
import { until } from './watch.ts';

export interface CleanedUp {
  /** What the control plane keeps of the drill, one sentence each. */
  readonly left: readonly string[];
  /** What should be gone and is not. */
  readonly faults: readonly string[];
}

/** Releases under way at the same time. */
const RELEASE_TOGETHER = 4;
/** A recovery that still runs waits for restore and resume first. */
const RELEASE_MS_MAX = 60_000;
const RETIRE_MS_MAX = 90_000;
/** TOMBSTONE_MS of lib/store/placement/allocations.ts. */
const TOMBSTONE_H = 48;
const REASON = 'the drill is over';

const isActive = ({ status }: SeenAllocation): boolean => status === 'placed' || status === 'pending';
const notFound = (error: unknown): boolean => error instanceof ApiProblem && error.code === 'not-found';
/** A recovery owns what is asked for, or somebody was quicker: worth another look. */
const passes = (error: unknown): boolean =>
  error instanceof ApiProblem && ['not-in-this-state', 'moving', 'unavailable'].includes(error.code);

/**
 * Gives back all that a drill has made, whatever state it was left in: only what is in the labscape and of the tenant
 * that this drill has made is looked at. Says what remains, by what the API lists at the end. Never throws.
 */
export async function cleanUp(client: Client, plan: FleetPlan, scope: Required<Scope>): Promise<CleanedUp> {
  const faults: string[] = [];
  const steps = [
    () => restLabscape(client, scope.labscape),
    () => releaseAll(client, scope),
    () => retireAll(client, scope),
    () => closeTenant(client, plan, scope.tenant),
  ];
  for (const step of steps) {
    await step().catch((error: unknown) => faults.push(`could not be cleaned up: ${asError(error).message}`));
  }
  try {
    return await takeStock(client, scope, faults);
  } catch (error) {
    const { message } = asError(error);
    return {
      left: [`whatever of labscape and tenant ${scope.labscape} was made: ${message}`],
      faults: [...faults, `what is left could not be read: ${message}`],
    };
  }
}

/** First of all: agents that stop in a labscape that rests are nobody's failure. There is no way to leave it. */
async function restLabscape(client: Client, labscape: string): Promise<void> {
  const params = { labscape };
  const found = await orNothing(client.exchange('getLabscape', { params }));
  if (found === undefined) return;
  const body = { maintenance: true, policy: { mode: 'observe' as const }, reason: REASON };
  await client.call('editLabscape', { params, body, headers: { 'if-match': found.etag ?? '*' } });
}

/** Those are listed whose acceptance was never heard, too. */
async function releaseAll(client: Client, scope: Required<Scope>): Promise<void> {
  const queue = (await readAllocations(client, scope)).filter(isActive).values();
  const { tenant } = scope;
  const lane = async () => {
    for (const { id } of queue) {
      await patiently(`allocation ${id} is released`, RELEASE_MS_MAX, () =>
        client.call('releaseAllocation', { params: { allocation: id }, query: { tenant } }),
      );
    }
  };
  await Promise.all(Array.from({ length: RELEASE_TOGETHER }, lane));
}

async function retireAll(client: Client, scope: Required<Scope>): Promise<void> {
  const resources = await readResources(client, scope);
  await Promise.all(resources.map(({ id }) => untilRetired(client, id)));
}

/** What leads from a status to the next one on the way out; where there is nothing, a recovery is at work. */
const WAY_OUT: Readonly<
  Partial<Record<ResourceStatus, 'drainResource' | 'failResource' | 'retireResource'>>
> = {
  ...{ healthy: 'drainResource', suspect: 'drainResource', failed: 'failResource' },
  ...{ drained: 'retireResource', offline: 'retireResource' },
};

async function untilRetired(client: Client, id: string): Promise<void> {
  const params = { resource: id };
  await until(`${id} retires`, RETIRE_MS_MAX, new AbortController().signal, async () => {
    const { status } = await client.call('getResource', { params });
    if (status === 'retired') return status;
    const step = WAY_OUT[status];
    if (step === undefined) return undefined;
    await client.call(step, { params, body: { reason: REASON } }).catch((error: unknown) => {
      if (!passes(error)) throw error;
    });
    return undefined;
  });
}

async function closeTenant(client: Client, plan: FleetPlan, tenant: string): Promise<void> {
  try {
    await client.call('getTenant', { params: { tenant } });
  } catch (error) {
    if (notFound(error)) return;
    throw error;
  }
  const { slices } = plan.tenant;
  await client.call('putTenant', { params: { tenant }, body: { quota: ZERO, slices } });
}

async function patiently(what: string, withinMs: number, call: () => Promise<unknown>): Promise<void> {
  await until(what, withinMs, new AbortController().signal, async () => {
    try {
      await call();
      return true;
    } catch (error) {
      if (passes(error)) return undefined;
      throw error;
    }
  });
}

async function takeStock(
  client: Client,
  scope: Required<Scope>,
  already: readonly string[],
): Promise<CleanedUp> {
  const allocations = await readAllocations(client, scope);
  const resources = await readResources(client, scope);
  const recoveries = await readRecoveries(client, scope);
  const { labscape, tenant } = scope;
  const [rests, used] = await Promise.all([
    orNothing(client.call('getLabscape', { params: { labscape } })),
    orNothing(client.call('getTenant', { params: { tenant } })),
  ]);
  const faults = [...already, ...stockFaults(allocations, resources)];
  if (rests !== undefined && !rests.maintenance) faults.push(`labscape ${labscape} is not in maintenance`);
  if (used !== undefined && !isZero(used.used)) {
    faults.push(`tenant ${tenant} still counts ${JSON.stringify(used.used)}`);
  }
  if (used !== undefined && !isZero(used.quota)) faults.push(`tenant ${tenant} still has a quota`);
  return {
    faults,
    left: [
      ...(rests === undefined ? [] : [`labscape ${labscape}, in maintenance: the API has no way to leave`]),
      ...kept(resources, allocations),
      ...(used === undefined ? [] : [`tenant ${tenant}, with a quota of nothing`]),
      `the reports of ${recoveries.length} recoveries, and the audit of all that`,
      ...faults,
    ],
  };
}

function kept(resources: readonly SeenResource[], allocations: readonly SeenAllocation[]): string[] {
  const retired = resources.filter(({ status }) => status === 'retired').map(({ id }) => id);
  const ended = allocations.filter((allocation) => !isActive(allocation)).length;
  return [
    ...(retired.length === 0 ? [] : [`retired resources: ${retired.sort().join(', ')}`]),
    ...(ended === 0
      ? []
      : [`${ended} released allocations, which DynamoDB drops after ${TOMBSTONE_H} hours`]),
  ];
}

/** What is not as it must be when everything has been given back. Pure. */
export function stockFaults(
  allocations: readonly SeenAllocation[],
  resources: readonly SeenResource[],
): string[] {
  return [
    ...allocations.filter(isActive).map(({ id, status }) => `allocation ${id} is still ${status}`),
    ...resources
      .filter(({ status }) => status !== 'retired')
      .map(({ id, status, recovery }) => `${id} is ${status}, not retired${recovery ? `: ${recovery}` : ''}`),
    ...resources
      .filter(({ groups, used }) => groups > 0 || !isZero(used))
      .map(({ id, groups }) => `${id} still counts ${groups} groups`),
  ];
}

async function orNothing<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if (notFound(error)) return undefined;
    throw error;
  }
}
