import { keys } from '../keys.ts';
import { decodeGroup, type GroupRecord } from '../placement/groups.ts';
import type { Store } from '../store.ts';
import { N, S } from '../table/attributes.ts';
import { attributeEquals, exists, updateInput } from '../table/update.ts';
import type { ResourceRecord } from './resources.ts';

/** What an owner says of its group counts only at the group's present epoch and owner; undefined when it is stale. */
export const writeRunning = async (
  store: Store,
  resource: string,
  report: { readonly group: string; readonly epoch: number; readonly running: number },
): Promise<GroupRecord | undefined> => {
  const outcome = await store.update(
    updateInput({
      table: store.tables.state,
      key: keys.group(report.group),
      set: { runEpoch: N(report.epoch), runCount: N(report.running) },
      conditions: [
        attributeEquals('resource', S(resource)),
        attributeEquals('epoch', N(report.epoch)),
        attributeEquals('status', S('placed')),
      ],
    }),
  );
  return outcome.kind === 'done' ? decodeGroup(outcome.item) : undefined;
};

/** The owner before has stopped the group: the new one need not hold back any longer. */
export const endHold = async (store: Store, group: string, by: string): Promise<GroupRecord | undefined> => {
  const outcome = await store.update(
    updateInput({
      table: store.tables.state,
      key: keys.group(group),
      remove: ['heldUntil', 'heldBy'],
      conditions: [attributeEquals('heldBy', S(by))],
    }),
  );
  return outcome.kind === 'done' ? decodeGroup(outcome.item) : undefined;
};

/** Something about the resource's assignments changed: its agent shall look. */
export const bumpAssignments = async (store: Store, labscape: string, resource: string): Promise<void> => {
  await store.write(
    updateInput({
      table: store.tables.state,
      key: keys.resource(labscape, resource),
      add: { assignRev: N(1) },
      conditions: [exists('pk')],
    }),
  );
};

/** A move that lies ahead of the clock is put back to `at`; who is second finds it done. */
export const putLeftBack = async (
  store: Store,
  { labscape, id }: Pick<ResourceRecord, 'labscape' | 'id'>,
  ahead: number,
  at: number,
): Promise<void> => {
  await store.write(
    updateInput({
      table: store.tables.state,
      key: keys.resource(labscape, id),
      set: { leftAt: N(at) },
      conditions: [attributeEquals('leftAt', N(ahead))],
    }),
  );
};

/** The end of a hold, where the clock was set since it was written; who is second finds it done. */
export const putHold = async (store: Store, group: string, before: number, at: number): Promise<void> => {
  await store.write(
    updateInput({
      table: store.tables.state,
      key: keys.group(group),
      set: { heldUntil: N(at) },
      conditions: [attributeEquals('heldUntil', N(before))],
    }),
  );
};

/** The agent's word that all work of epochs before `epoch` has stopped. */
export const acknowledgeFence = async (
  store: Store,
  resource: ResourceRecord,
  epoch: number,
): Promise<void> => {
  await store.write(
    updateInput({
      table: store.tables.state,
      key: keys.resource(resource.labscape, resource.id),
      set: { ackEpoch: N(epoch) },
      conditions: [
        (p) => `${p.name('ackEpoch')} < ${p.value(N(epoch))}`,
        (p) => `${p.name('epoch')} >= ${p.value(N(epoch))}`,
      ],
    }),
  );
};
