import { changeOf, editing } from './mutation-wire.ts';
import type { Mutation } from './mutations.ts';

/** Capacity and limit, and the fill behind them, as a resource's item holds them. */
const PROFILE = /(\[\[[\d,]+\],\[([\d,]+)\],)\[[\d,]+\]/g;

export const REBALANCE_MUTATIONS: readonly Mutation[] = [
  {
    // The log of moves remembers the last one only.
    name: 'moves of a window forgotten',
    invariant: 9,
    faultFactor: 1,
    mutate: () => ({
      request: editing(({ updates }) => {
        for (const update of updates) {
          if (!update.Key?.['sk']?.S?.startsWith('MOVES#')) continue;
          const times = changeOf(update, 'times');
          if (times?.S !== undefined) times.S = times.S.split(',').at(-1) ?? '';
        }
      }),
    }),
  },
  {
    name: 'balanced up to the limit',
    invariant: 3,
    faultFactor: 6,
    mutate: () => ({
      answer: (_request, answer, by) =>
        by.startsWith('resources#') ? { ...answer, body: answer.body.replaceAll(PROFILE, '$1[$2]') } : answer,
    }),
  },
];
