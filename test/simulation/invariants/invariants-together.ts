import { classOfKind, isProtectedKind } from '../../../lib/allocation/groups.ts';
import type { AuditEvent } from '../../../lib/schemas/audit.ts';
import { CLASSES } from '../../../lib/schemas/common.ts';
import type { Changes, State } from '../world/state.ts';

const gangOf = ({ body }: AuditEvent): { index: number; of: number } | undefined => {
  const gang = body['gang'];
  return gang === undefined ? undefined : (gang as { index: number; of: number });
};

/** 14: a gang is placed whole, in one commit, or not at all. */
export function gangIsWhole(_: State, { events }: Changes): string | undefined {
  const gangs = events.flatMap((event) => gangOf(event) ?? []);
  const [first] = gangs;
  if (first === undefined) return undefined;
  const indexes = new Set(gangs.map(({ index }) => index));
  return indexes.size === first.of && gangs.length === first.of
    ? undefined
    : `of a gang of ${first.of} only ${indexes.size} are placed`;
}

/** 15: who gives way is strictly lower and not protected, waits as of then under a new epoch, and makes room for one. */
export function victimsAreLower(_: State, { events, groups }: Changes): string | undefined {
  const event = events.find(({ type }) => type === 'resource.preempted');
  if (event === undefined) return undefined;
  const resource = event.entity.replace('resource#', '');
  const comers = groups.filter(
    ({ before, after }) => after.status === 'placed' && before?.status !== 'placed',
  );
  const [comer] = comers;
  if (comer === undefined || comers.length > 1 || comer.after.resource !== resource)
    return `${comers.length} groups come to ${resource} by pre-emption`;
  const victims = groups.filter((group) => group !== comer);
  if (victims.length === 0) return `nobody gives way on ${resource}`;
  const rank = CLASSES.indexOf(comer.after.class);
  for (const { before, after } of victims) {
    const { kind = '', id } = after;
    if (CLASSES.indexOf(classOfKind(kind)) <= rank || isProtectedKind(kind))
      return `group ${id} of kind ${kind} gives way to ${comer.after.class}`;
    if (
      after.status !== 'pending' ||
      after.epoch !== (before?.epoch ?? 0) + 1 ||
      before?.resource !== resource
    )
      return `group ${id} gives way on ${resource} and is ${after.status} at epoch ${after.epoch}`;
  }
  return undefined;
}
