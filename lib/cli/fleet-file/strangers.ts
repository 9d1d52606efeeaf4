import type { Resource } from '../../schemas/resource.ts';
import type { Change, Step } from './change.ts';
import type { FleetFile } from './schema.ts';
import type { FleetState } from './state.ts';

/**
 * What is in the fleet but not in the file. Pruning reaches no further than the labscapes that the file names, so that a
 * file of one labscape is no order to empty the others; labscapes cannot leave at all.
 */
export function strangers(file: FleetFile, fleet: FleetState, prune: boolean): Change[] {
  const labscapes = [...fleet.labscapes.keys()].filter((id) => !Object.hasOwn(file.labscapes, id));
  const resources = [...fleet.resources.values()].filter(
    ({ id, status }) => !Object.hasOwn(file.resources, id) && status !== 'retired',
  );
  return [
    ...labscapes.map((id): Change => extra('labscape', id, 'left alone')),
    ...resources.map((one): Change => {
      if (!Object.hasOwn(file.labscapes, one.labscape))
        return extra('resource', one.id, `left alone, as its labscape ${one.labscape}`);
      const way = wayOut(one);
      if ('wait' in way) return extra('resource', one.id, way.wait);
      if (!prune) return extra('resource', one.id, `left alone; --prune would ${way.step.call} it`);
      const note =
        way.step.call === 'drain' ? 'drained; once it is empty the next --prune retires it' : 'retired';
      return { kind: 'resource', id: one.id, action: 'prune', fields: [], note, steps: [way.step] };
    }),
  ];
}

const extra = (kind: Change['kind'], id: string, note: string): Change => ({
  ...{ kind, id, action: 'extra', fields: [], note, steps: [] },
});

/** First empty, then gone. */
function wayOut({ status, groups, recovery }: Resource): { readonly step: Step } | { readonly wait: string } {
  if (recovery !== undefined) return { wait: `left alone while recovery ${recovery} owns it` };
  if (status === 'healthy' || status === 'suspect') return { step: { call: 'drain' } };
  const empty = (status === 'drained' || status === 'offline') && groups === 0;
  return empty ? { step: { call: 'retire' } } : { wait: `left alone while it is ${status}` };
}
