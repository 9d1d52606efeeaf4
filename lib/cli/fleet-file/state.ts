import { ApiProblem } from '../../client/api-error.ts';
import type { Client } from '../../client/client.ts';
import type { Allocation } from '../../schemas/allocation.ts';
import { allocationIdOf } from '../../schemas/allocation-key.ts';
import type { Labscape } from '../../schemas/labscape.ts';
import type { Resource } from '../../schemas/resource.ts';
import type { Tenant } from '../../schemas/tenant.ts';
import { type FleetFile, workKeyOf } from './schema.ts';

/** The fleet as the API tells it, as far as a file can speak of it. */
export interface FleetState {
  readonly labscapes: ReadonlyMap<string, Labscape>;
  readonly resources: ReadonlyMap<string, Resource>;
  /** Only those that were asked for: the API has no list of them. */
  readonly tenants: ReadonlyMap<string, Tenant>;
  /** By the file's name for it. */
  readonly work: ReadonlyMap<string, Allocation>;
}

/** Questions that are asked at the same time. */
const LANES = 8;

/** Reads all labscapes and resources, and these tenants and this work as far as they are there. */
export async function readFleet(
  client: Client,
  tenants: Iterable<string>,
  work: FleetFile['work'],
): Promise<FleetState> {
  const labscapes: Labscape[] = [];
  for await (const one of client.pages('listLabscapes')) labscapes.push(one);
  const resources: Resource[] = [];
  for await (const one of client.pages('listResources')) resources.push(one);
  const works = Object.entries(work);
  const named = new Set([...tenants, ...works.map(([, { tenant }]) => tenant)]);
  return {
    labscapes: new Map(labscapes.map((one) => [one.id, one])),
    resources: new Map(resources.map((one) => [one.id, one])),
    tenants: await found(
      [...named],
      (tenant) => client.call('getTenant', { params: { tenant } }),
      (id) => id,
    ),
    work: await found(
      works,
      ([name, { tenant }]) => {
        const params = { allocation: allocationIdOf(workKeyOf(name)) };
        return client.call('getAllocation', { params, query: { tenant } });
      },
      ([name]) => name,
    ),
  };
}

/** What is there of what is asked for, a few at a time. */
async function found<K, V>(
  keys: readonly K[],
  ask: (key: K) => Promise<V>,
  nameOf: (key: K) => string,
): Promise<Map<string, V>> {
  const all = new Map<string, V>();
  for (let from = 0; from < keys.length; from += LANES) {
    await Promise.all(
      keys.slice(from, from + LANES).map(async (key) => {
        const value = await ask(key).catch((error: unknown) => {
          if (error instanceof ApiProblem && error.code === 'not-found') return undefined;
          throw error;
        });
        if (value !== undefined) all.set(nameOf(key), value);
      }),
    );
  }
  return all;
}
