import type { Mutation } from './mutations.ts';

/** As a group's item tells it, in an answer of the store. */
const DEMANDS_IT = /\\"required\\":true/g;

export const DATA_MUTATIONS: readonly Mutation[] = [
  {
    name: 'demanded data forgotten',
    invariant: 19,
    faultFactor: 6,
    mutate: () => ({
      answer: (_request, answer, by) =>
        by.startsWith('recovery#')
          ? { ...answer, body: answer.body.replaceAll(DEMANDS_IT, '\\"required\\":false') }
          : answer,
    }),
  },
];
