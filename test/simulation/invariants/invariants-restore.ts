import { decodeTenant } from '../../../lib/store/access/tenants.ts';
import type { AllocationRecord } from '../../../lib/store/placement/allocations.ts';
import type { Item } from '../../../lib/store/table/attributes.ts';
import { equals, sum } from '../../../lib/vector.ts';
import type { Change, Changes, State } from '../world/state.ts';
import type { Breach } from './invariants.ts';
import { canonical } from './mirror.ts';

/** Whoever restores into the running control plane; see backups/. */
export const RESTORES = 'restore#';
/** A drill of nothing: the first backup failed. */
const NO_BACKUP = 'there is no backup';

/**
 * Number 20, none of the design's: what a restore puts back is what it was when it was lost, resources and groups under
 * higher epochs, but for a group that a recovery moves; and every backup that is taken passes its drill.
 */
export class RestoreWatch {
  /** When what was changed by hand was put right, virtual ms: a backup that was begun before holds it, and its drill says so. */
  putRightAt = Number.NEGATIVE_INFINITY;
  /** By the id of a backup: when the function that took it began, virtual ms. */
  readonly began = new Map<string, number>();

  look(state: State, changes: Changes): readonly Breach[] {
    const restored = changes.when.by.startsWith(RESTORES) ? this.#restored(state, changes) : [];
    return [...restored, ...this.#failed(changes)].map((what) => ({ invariant: 20, what }));
  }

  #restored(state: State, { resources, groups, allocations, profiles, slices }: Changes): readonly string[] {
    const owned = (id: string | undefined) => state.resources.get(id ?? '')?.recovery !== undefined;
    return [
      ...profiles.flatMap(({ before, after }) =>
        differ(`${after['sk']?.S}`, before && profileOf(before), profileOf(after)),
      ),
      ...slices.flatMap(({ after: { tenant } }) => capFaults(state, tenant)),
      ...allocations.flatMap(({ before, after }) =>
        differ(`allocation ${after.id}`, before && workOf(before), workOf(after)),
      ),
      ...groups.flatMap(({ before, after }) => {
        const of = ({ status, resource, count, demand, deviceMap }: typeof after) =>
          // A closed one has neither an owner nor devices, whatever stands there.
          JSON.stringify([status, ...(status === 'closed' ? [] : [resource, deviceMap]), count, demand]);
        return [
          ...differ(`group ${after.id}`, before && of(before), of(after)),
          // What a recovery moves it knows by its epoch.
          ...(after.status === 'closed' || owned(after.resource)
            ? []
            : epochFaults(`group ${after.id}`, { before, after })),
        ];
      }),
      ...resources.flatMap(({ before, after }) => {
        const of = ({ status, used, groups: own, capacity, spread = [], devices }: typeof after) =>
          JSON.stringify([
            ...[status === 'recovering' ? 'failed' : status, used, capacity],
            ...[own.map(({ group }) => group).sort(), [...spread].sort(), devices],
          ]);
        return [
          ...differ(`resource ${after.id}`, before && of(before), of(after)),
          ...epochFaults(`resource ${after.id}`, { before, after }),
        ];
      }),
    ];
  }

  #failed({ events, when }: Changes): readonly string[] {
    return events.flatMap(({ type, entity, body }) => {
      if (type === 'backup.taken') this.began.set(entity.replace('backup#', ''), when.beganAt);
      const beganAt = this.began.get(String(body['backup'])) ?? when.beganAt;
      const why = String(body['why']);
      const isDrill = type === 'backup.failed' && body['kind'] === 'drill' && !why.startsWith(NO_BACKUP);
      return isDrill && beganAt > this.putRightAt ? [`a drill fails: ${why}`] : [];
    });
  }
}

const workOf = ({ state, group, demand, leaseUntil, class: cls, chain }: AllocationRecord): string =>
  JSON.stringify([state, group, demand, leaseUntil, cls, chain]);

/** All of it but the working figures of fill n+1. */
const profileOf = ({ fillRev: _, fillShare: __, ...item }: Item): string => canonical(item);

/** Slices that make up another quota than their tenant's, once none of them is lost. */
const capFaults = ({ slices, profiles }: State, id: string): readonly string[] => {
  const item = profiles.get(`TENANT#${id}`);
  const own = [...slices.values()].filter(({ tenant }) => tenant === id);
  if (item === undefined || equals(sum(own.map(({ cap }) => cap)), decodeTenant(item).quota)) return [];
  return [`the slices of tenant ${id} do not make up its quota`];
};

const differ = (what: string, before: string | undefined, after: string): readonly string[] =>
  before === after ? [] : [`${what} is restored as ${after}, it was ${before}`];

const epochFaults = (
  what: string,
  { before, after }: Change<{ readonly epoch: number }>,
): readonly string[] =>
  after.epoch > (before?.epoch ?? 0)
    ? []
    : [`${what} is restored under epoch ${after.epoch}, it was at ${before?.epoch}`];
