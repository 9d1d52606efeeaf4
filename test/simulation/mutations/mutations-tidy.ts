import { changeOf, dropChanges, editing, type WireWrite, withoutEvents } from './mutation-wire.ts';
import type { Mutation } from './mutations.ts';

const REGROUPED = 'allocation.regrouped';

const isGroup = (write: WireWrite): boolean => write.Key?.['sk']?.S?.startsWith('GRP#') === true;

/** Members are given to another group; bugs in that one transaction. */
export const TIDY_MUTATIONS: readonly Mutation[] = [
  {
    name: 'members given over uncounted',
    invariant: 2,
    faultFactor: 1,
    mutate: () => ({
      request: editing(({ updates, events }) => {
        if (!events.includes(REGROUPED)) return;
        for (const update of updates)
          if (isGroup(update) && Number(changeOf(update, 'count')?.N) > 0) dropChanges(update, 'count');
      }),
    }),
  },
  {
    name: 'members given over without events',
    invariant: 10,
    faultFactor: 1,
    mutate: () => ({
      request: (request) => (request.body.includes(REGROUPED) ? withoutEvents(request).rest : request),
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
