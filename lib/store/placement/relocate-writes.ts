import { boundFor } from '../../allocation/candidate.ts';
import type { DeviceMap } from '../../allocation/devices.ts';
import type { Extras } from '../../allocation/extras.ts';
import { encodeGroupRef } from '../../allocation/groups.ts';
import type { AuditEvent } from '../../schemas/audit.ts';
import { chainEnd, putEvent } from '../events.ts';
import type { ResourceRecord } from '../fleet/resources.ts';
import { keys } from '../keys.ts';
import { moveWrite, targetWrite } from '../recovery/flip-writes.ts';
import type { Store } from '../store.ts';
import { N, SS } from '../table/attributes.ts';
import { chainAt } from '../table/conditions.ts';
import { absent, attributeEquals, updateItem, vectorDelta } from '../table/update.ts';
import type { Write } from '../table/write.ts';
import type { Taker } from './allocation-writes.ts';
import { goingPart } from './extras.ts';
import type { GroupRecord } from './groups.ts';

export interface RelocateInput {
  readonly source: ResourceRecord;
  readonly group: GroupRecord;
  readonly target: Taker;
  /** The devices it gets there, and what it brings and takes along beside its demand. */
  readonly deviceMap: DeviceMap | undefined;
  readonly coming: Extras;
  readonly going: Extras;
  /** The recovery that asks for it, if one does: the group's last one stays as it was otherwise. */
  readonly recovery?: string | undefined;
  /** The old owner may still run it until then, epoch ms. */
  readonly heldUntil: number;
  readonly event: AuditEvent;
  /** What else must hold, or is counted, with it. */
  readonly besides?: readonly Write[] | undefined;
}

/** One group from one live resource to another, under the fill of the new one, which is held for nobody. */
export const relocateWrites = (store: Store, input: RelocateInput): readonly Write[] => {
  const { source, group, event, deviceMap, heldUntil } = input;
  const going = goingPart(input.going);
  const target = { ...input.target, held: input.target.groups.length };
  const ref = { kind: group.kind, group: group.id };
  return [
    moveWrite(store, source.id, { group, to: target, heldUntil, deviceMap }, input.recovery, event.at),
    targetWrite(
      store,
      target,
      { demand: group.demand, refs: [ref], extras: input.coming },
      boundFor(input.target, 'placement'),
      [absent('reserved')],
    ),
    updateItem('source', {
      table: store.tables.state,
      key: keys.resource(source.labscape, source.id),
      set: {
        ...chainEnd(event),
        leftAt: N(event.at),
        leftRev: N(source.assignmentRevision + 1),
        ...going.set,
      },
      add: { ...vectorDelta('used', group.demand, -1), assignRev: N(1) },
      deleteFromSet: { groupIds: SS([encodeGroupRef(ref)]), ...going.deleteFromSet },
      conditions: [
        absent('recovery'),
        // Or an agent that has only seen what came between would pass for one that knows of the move.
        attributeEquals('assignRev', N(source.assignmentRevision)),
        ...chainAt(source.chain),
        ...going.conditions,
      ],
    }),
    ...(input.besides ?? []),
    putEvent(store, event),
  ];
};
