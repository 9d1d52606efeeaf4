import type { ResourceRecord } from '../../store/fleet/resources.ts';
import type { Requester } from '../origin.ts';
import { changeStatus } from '../registry/resources.ts';
import type { Runtime } from '../runtime.ts';
import { wakeFor } from './pending-queue.ts';

/** Into service again, offered to nobody yet. Raises not-found, not-in-this-state, unavailable. */
export const intoService = (
  runtime: Runtime,
  id: string,
  reason: string,
  requester: Requester,
): Promise<ResourceRecord> =>
  changeStatus(runtime, id, { type: 'resource.activated', to: 'healthy', reason, unlocked: true }, requester);

/** Takes a drained or offline resource back, and offers it to what waits. Raises as intoService. */
export const takeBack = async (
  runtime: Runtime,
  id: string,
  reason: string,
  requester: Requester,
): Promise<ResourceRecord> => {
  const resource = await intoService(runtime, id, reason, requester);
  await wakeFor(runtime, resource, requester.request, 'came');
  return resource;
};
