import type { ResourceRecord } from '../../store/fleet/resources.ts';
import type { Requester } from '../origin.ts';
import { changeStatus } from '../registry/resources.ts';
import type { Runtime } from '../runtime.ts';
import { wakeFor } from './pending-queue.ts';

/**
 * Takes a drained or offline resource back into service, and offers it to what waits. Raises not-found,
 * not-in-this-state, unavailable.
 */
export const takeBack = async (
  runtime: Runtime,
  id: string,
  reason: string,
  requester: Requester,
): Promise<ResourceRecord> => {
  const change = { type: 'resource.activated', to: 'healthy', reason, unlocked: true } as const;
  const resource = await changeStatus(runtime, id, change, requester);
  await wakeFor(runtime, resource, requester.request, 'came');
  return resource;
};
