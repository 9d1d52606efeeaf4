import { type Change, refused, unchanged } from './change.ts';
import { changedFields } from './fields.ts';
import { type DeclaredWork, type FleetFile, workKeyOf } from './schema.ts';
import type { FleetState } from './state.ts';

/** Work is taken over once. Where it runs afterwards is the fleet's affair: a failover is no difference to the file. */
export function diffWork(name: string, declared: DeclaredWork, file: FleetFile, fleet: FleetState): Change {
  const { tenant, resource, ...wish } = declared;
  const now = fleet.work.get(name);
  if (now !== undefined) {
    if (now.status === 'released' || now.status === 'expired')
      return refused('work', name, `was ${now.status}: take it out of the file, or give it another name`);
    const { adoptedOn, demand, devices, class: of, constraints, spec } = now;
    const seen = {
      resource: adoptedOn,
      demand,
      devices,
      class: of,
      constraints,
      spec,
      protected: now.protected,
    };
    const fields = changedFields({ resource, ...wish }, seen);
    if (fields.length === 0) return unchanged('work', name);
    const paths = fields.map(({ path }) => path).join(', ');
    return refused(
      'work',
      name,
      `was taken over with other values of ${paths}: they cannot be changed`,
      fields,
    );
  }
  if (!Object.hasOwn(file.tenants, tenant) && !fleet.tenants.has(tenant))
    return refused('work', name, `its tenant ${tenant} has no quota and is not in the file`);
  const there = fleet.resources.get(resource);
  if (there === undefined && !Object.hasOwn(file.resources, resource))
    return refused('work', name, `its resource ${resource} is not registered and is not in the file`);
  if (there !== undefined && there.status !== 'healthy')
    return refused('work', name, `its resource ${resource} is ${there.status}`);
  const body = { tenant, ...wish, adopt: { resource } };
  return {
    ...{ kind: 'work', id: name, action: 'create', fields: changedFields({ ...declared }, {}) },
    steps: [{ call: 'adopt', key: workKeyOf(name), body }],
  };
}
