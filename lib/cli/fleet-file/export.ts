import { stringify } from 'yaml';
import type { Labscape } from '../../schemas/labscape.ts';
import type { Resource } from '../../schemas/resource.ts';
import type { Tenant } from '../../schemas/tenant.ts';
import type { FleetFile } from './schema.ts';
import type { FleetState } from './state.ts';

const byId = <T extends { readonly id: string }, D>(
  all: Iterable<T>,
  declare: (one: T) => D,
): Record<string, D> =>
  Object.fromEntries(
    [...all].sort((a, b) => (a.id < b.id ? -1 : 1)).map((one): [string, D] => [one.id, declare(one)]),
  );

const labscape = (one: Labscape): FleetFile['labscapes'][string] => ({
  name: one.name,
  ...(one.publicKey !== undefined && { publicKey: one.publicKey }),
  protocolVersions: one.protocolVersions,
  ...(one.endpoint !== undefined && { endpoint: one.endpoint }),
  weight: one.weight,
  ...(one.residency !== undefined && { residency: one.residency }),
  maintenance: one.maintenance,
  policy: one.policy,
});

const resource = ({
  labscape: home,
  capacity,
  devices,
  labels,
}: Resource): FleetFile['resources'][string] => ({
  labscape: home,
  capacity,
  ...(devices && { devices: { model: devices.model, count: devices.count } }),
  labels,
});

const tenant = ({ quota, slices, weight }: Tenant): FleetFile['tenants'][string] => ({
  quota,
  slices,
  weight,
});

/** The fleet as a file that says all of it: applied to this fleet it changes nothing. */
export function fleetFileOf(fleet: Omit<FleetState, 'work'>): Omit<FleetFile, 'work'> {
  const standing = [...fleet.resources.values()].filter(({ status }) => status !== 'retired');
  return {
    labscapes: byId(fleet.labscapes.values(), labscape),
    resources: byId(standing, resource),
    tenants: byId(fleet.tenants.values(), tenant),
  };
}

const HEAD = ` A fleet, to be applied with: labscape apply FILE
 What is left out of it is left as it is. Not in it: what the API does not list, which is tenants that were not named,
 and work.`;

export const toYaml = (file: Omit<FleetFile, 'work'>): string =>
  `${HEAD.replace(/^/gm, '#')}\n\n${stringify(file, { lineWidth: 0, aliasDuplicateObjects: false })}`;
