import type { ResourceStatus } from '../schemas/resource.ts';

/**
 * Every transition of a resource; what is not listed cannot be written.
 * healthy, suspect: may run work (suspect takes no new). failed: verdict fallen, work not moved yet.
 * recovering: fenced, a recovery owns it. drained: emptied on purpose. offline: emptied after a failure, may return.
 * retired: gone for good.
 */
export const RESOURCE_TRANSITIONS: Readonly<Record<ResourceStatus, readonly ResourceStatus[]>> = {
  healthy: ['suspect', 'failed', 'recovering'],
  suspect: ['healthy', 'failed', 'recovering'],
  failed: ['healthy', 'recovering'],
  recovering: ['healthy', 'failed', 'drained', 'offline'],
  drained: ['healthy', 'offline', 'retired'],
  offline: ['healthy', 'retired'],
  retired: [],
};

/** Whether the table has that transition. */
export const mayBecome = (from: ResourceStatus, to: ResourceStatus): boolean =>
  RESOURCE_TRANSITIONS[from].includes(to);

/** An agent may run the work of a resource only in these. */
export const mayRun = (status: ResourceStatus): boolean => status === 'healthy' || status === 'suspect';
