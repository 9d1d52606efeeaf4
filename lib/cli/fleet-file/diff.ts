import type { Labscape } from '../../schemas/labscape.ts';
import type { Resource } from '../../schemas/resource.ts';
import type { Tenant } from '../../schemas/tenant.ts';
import { type Change, refused, type Step, unchanged } from './change.ts';
import { changedFields, type FieldChange, patchOf } from './fields.ts';
import type { DeclaredLabscape, DeclaredResource, DeclaredTenant, FleetFile } from './schema.ts';
import type { FleetState } from './state.ts';
import { strangers } from './strangers.ts';
import { diffWork } from './work.ts';

/** What must change so that the fleet is as the file says, in the order in which it can be done. Pure. */
export function diffFleet(
  file: FleetFile,
  fleet: FleetState,
  options: { readonly prune: boolean },
): Change[] {
  return [
    ...Object.entries(file.labscapes).map(([id, one]) => labscape(id, one, fleet.labscapes.get(id))),
    ...Object.entries(file.resources).map(([id, one]) =>
      Object.hasOwn(file.labscapes, one.labscape) || fleet.labscapes.has(one.labscape)
        ? resource(id, one, fleet.resources.get(id))
        : refused('resource', id, `its labscape ${one.labscape} has not joined and is not in the file`),
    ),
    ...Object.entries(file.tenants).map(([id, one]) => tenant(id, one, fleet.tenants.get(id))),
    ...Object.entries(file.work).map(([name, one]) => diffWork(name, one, file, fleet)),
    ...strangers(file, fleet, options.prune),
  ];
}

/** What is there, with one field or more to change; some cannot be. */
function changed(
  kind: Change['kind'],
  id: string,
  fields: readonly FieldChange[],
  fixed: (field: FieldChange) => boolean,
  steps: () => readonly Step[],
): Change {
  if (fields.length === 0) return unchanged(kind, id);
  const stuck = fields.filter(fixed).map(({ path }) => path);
  if (stuck.length > 0) return refused(kind, id, `cannot be changed: ${stuck.join(', ')}`, fields);
  return { kind, id, action: 'change', fields, steps: steps() };
}

const FIXED_OF_LABSCAPE = /^(protocolVersions|publicKey|endpoint|policy\.limits\.)/;

function labscape(id: string, declared: DeclaredLabscape, now: Labscape | undefined): Change {
  if (now !== undefined) {
    const fields = changedFields(declared, now);
    const fixed = ({ path, from }: FieldChange) =>
      FIXED_OF_LABSCAPE.test(path) || (path === 'residency' && from !== undefined);
    return changed('labscape', id, fields, fixed, () => [
      { call: 'edit-labscape', cfg: now.cfg, body: patchOf(fields) },
    ]);
  }
  // Joining knows no maintenance, so it comes right after.
  const { maintenance, ...joining } = declared;
  const steps: Step[] = [{ call: 'join', body: { id, ...joining } }];
  if (maintenance === true) steps.push({ call: 'edit-labscape', cfg: 1, body: { maintenance } });
  return { kind: 'labscape', id, action: 'create', fields: changedFields(declared, {}), steps };
}

function resource(id: string, declared: DeclaredResource, now: Resource | undefined): Change {
  if (now === undefined) {
    const fields = changedFields(declared, {});
    return {
      kind: 'resource',
      id,
      action: 'create',
      fields,
      steps: [{ call: 'register', body: { id, ...declared } }],
    };
  }
  if (now.status === 'retired') return refused('resource', id, 'is retired for good: use another id');
  const { labscape: home, capacity, labels, devices } = now;
  const bank = devices && { model: devices.model, count: devices.count };
  const fields = changedFields(declared, { labscape: home, capacity, labels, devices: bank });
  const fixed = ({ path }: FieldChange) => path === 'labscape' || path === 'devices';
  return changed('resource', id, fields, fixed, () => {
    const body = {
      ...(fields.some(({ path }) => path.startsWith('capacity.')) && { capacity: declared.capacity }),
      ...(fields.some(({ path }) => path === 'labels') && { labels: declared.labels }),
    };
    return [{ call: 'edit-resource', seen: { capacity, labels }, body }];
  });
}

function tenant(id: string, declared: DeclaredTenant, now: Tenant | undefined): Change {
  const fields = changedFields(declared, now === undefined ? {} : { ...now });
  const step: Step = { call: 'put-tenant', body: declared };
  if (now === undefined) return { kind: 'tenant', id, action: 'create', fields, steps: [step] };
  return changed(
    'tenant',
    id,
    fields,
    ({ path }) => path === 'slices',
    () => [step],
  );
}
