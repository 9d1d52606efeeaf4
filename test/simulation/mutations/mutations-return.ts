import { dropChanges, editing } from './mutation-wire.ts';
import type { Mutation } from './mutations.ts';

export const RETURN_MUTATIONS: readonly Mutation[] = [
  {
    name: 'probation forgotten',
    invariant: 3,
    faultFactor: 2,
    mutate: () => ({
      request: editing(({ updates }) => {
        for (const update of updates)
          if (update.Key?.['sk']?.S?.startsWith('RES#')) dropChanges(update, 'returnedAt');
      }),
    }),
  },
];
