import type { DeviceBank } from '../../allocation/devices.ts';
import { isFailbackDue, returningAt } from '../../health/returning.ts';
import type { Policy } from '../../schemas/labscape.ts';
import type { Resource } from '../../schemas/resource.ts';
import { RETURN_POLICY_DEFAULT } from '../../schemas/return-policy.ts';
import { readLabscape } from '../../store/fleet/labscapes.ts';
import type { ResourceRecord } from '../../store/fleet/resources.ts';
import type { Runtime } from '../runtime.ts';

/** Where it stands on its way back, while it is, and what is due then. */
export const returningView = (
  resource: ResourceRecord,
  policy: Pick<Policy, keyof typeof RETURN_POLICY_DEFAULT>,
  now: number,
): Pick<Resource, 'returning' | 'failbackDue'> => {
  const { status, returnedAt, movedBy } = resource;
  const runs = status === 'healthy' || status === 'suspect';
  const returning = runs ? returningAt(returnedAt, now, policy) : undefined;
  const asks = policy.failback === 'ask' && movedBy !== undefined && isFailbackDue(resource, now, policy);
  return {
    ...(returning === undefined ? {} : { returning }),
    ...(asks ? { failbackDue: movedBy } : {}),
  };
};

const devicesView = ({ model, used }: DeviceBank): NonNullable<Resource['devices']> => ({
  model,
  count: used.length,
  used: [...used],
});

/** As the API shows it. `policy`: of its labscape. */
export const resourceView = (
  resource: ResourceRecord,
  policy: Parameters<typeof returningView>[1],
  now: number,
  lastBeatAt?: number,
): Resource => ({
  id: resource.id,
  labscape: resource.labscape,
  status: resource.status,
  since: resource.since,
  statusReason: resource.statusReason,
  capacity: resource.capacity,
  limit: resource.limit,
  fill: resource.fill,
  used: resource.used,
  ...(resource.devices === undefined ? {} : { devices: devicesView(resource.devices) }),
  groups: resource.groups.length,
  labels: resource.labels,
  epoch: resource.epoch,
  cfg: resource.cfg,
  assignmentRevision: resource.assignmentRevision,
  ...(resource.recovery === undefined ? {} : { recovery: resource.recovery }),
  ...(lastBeatAt === undefined ? {} : { lastBeatAt }),
  ...returningView(resource, policy, now),
});

/** The same for one resource; its labscape is read only where it came back. */
export const viewOf = async (runtime: Runtime, resource: ResourceRecord): Promise<Resource> => {
  const { labscape, returnedAt, movedBy } = resource;
  const came = returnedAt !== undefined || movedBy !== undefined;
  const home = came ? await readLabscape(runtime.store, labscape) : undefined;
  return resourceView(resource, home?.policy ?? RETURN_POLICY_DEFAULT, runtime.clock.now());
};
