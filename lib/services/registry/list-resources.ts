import * as z from 'zod';
import { Id, PAGE_SIZE_DEFAULT } from '../../schemas/common.ts';
import type { Resource } from '../../schemas/resource.ts';
import { readManyBeats } from '../../store/fleet/heartbeats.ts';
import { allLabscapes } from '../../store/fleet/labscapes.ts';
import { resourcesOf } from '../../store/fleet/resources.ts';
import type { Runtime } from '../runtime.ts';
import { resourceView } from './resource-view.ts';

/** Position in the list: labscapes by id, within one its resources by id. */
export const ResourcePosition = z.strictObject({ labscape: Id, after: Id.optional() });

export interface ResourceQuery {
  readonly labscape: string | undefined;
  readonly from: z.infer<typeof ResourcePosition> | undefined;
  readonly limit: number | undefined;
}

/** One page of resources, consistently read; at most one labscape a page when it fills it. */
export const listResources = async (
  runtime: Runtime,
  query: ResourceQuery,
): Promise<{ items: Resource[]; next?: z.infer<typeof ResourcePosition> }> => {
  const limit = query.limit ?? PAGE_SIZE_DEFAULT;
  const { from } = query;
  const labscapes = (await allLabscapes(runtime.store, true))
    .filter(({ id }) => query.labscape === undefined || id === query.labscape)
    .filter(({ id }) => from === undefined || id >= from.labscape)
    .sort((a, b) => (a.id < b.id ? -1 : 1));
  const now = runtime.clock.now();
  const items: Resource[] = [];
  for (const { id: labscape, policy } of labscapes) {
    const [resources, [beats]] = await Promise.all([
      resourcesOf(runtime.store, labscape, true),
      readManyBeats(runtime.store, [labscape]),
    ]);
    const after = from?.labscape === labscape ? from.after : undefined;
    for (const resource of resources) {
      if (after !== undefined && resource.id <= after) continue;
      if (items.length >= limit) {
        const last = items.at(-1);
        const position = last?.labscape === labscape ? { labscape, after: last.id } : { labscape };
        return { items, next: position };
      }
      items.push(resourceView(resource, policy, now, beats?.pulses.get(resource.id)?.lastAt));
    }
  }
  return { items };
};
