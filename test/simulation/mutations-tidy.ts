import { changeOf, dropChanges, dropConditions, editing, type WireWrite } from './mutation-wire.ts';
import type { Mutation } from './mutations.ts';

const REGROUPED = 'allocation.regrouped';

const isGroup = (write: WireWrite): boolean => write.Key?.['sk']?.S?.startsWith('GRP#') === true;

/** Members are given to another group; bugs in that one transaction. */
export const TIDY_MUTATIONS: readonly Mutation[] = [
  {
    // Whoever came or left in between is overlooked: the emptied group is closed with its newest member.
    name: 'members given over under an old load',
    invariant: 2,
    faultFactor: 6,
    mutate: () => ({
      request: editing(({ updates, events }) => {
        if (events.includes(REGROUPED))
          for (const update of updates) if (isGroup(update)) dropConditions(update, 'load');
      }),
    }),
  },
  {
    name: 'emptied group kept in the list of its resource',
    invariant: 3,
    faultFactor: 1,
    mutate: () => ({
      request: editing(({ updates, events }) => {
        if (!events.includes(REGROUPED)) return;
        for (const update of updates) {
          const isResource = update.Key?.['sk']?.S?.startsWith('RES#') === true;
          const takesAway = update.UpdateExpression?.includes('DELETE') === true;
          if (isResource && takesAway && changeOf(update, 'tidiedAt') !== undefined)
            dropChanges(update, 'groupIds');
        }
      }),
    }),
  },
];
