import { dropConditions, editing } from './mutation-wire.ts';
import type { Mutation } from './mutations.ts';

/** Agents sign their requests; bugs in what the control plane keeps of keys and signatures. */
export const SIGNATURE_MUTATIONS: readonly Mutation[] = [
  {
    name: 'number of a signature written over',
    invariant: 12,
    faultFactor: 2,
    mutate: () => ({
      request: editing(({ updates }) => {
        for (const update of updates)
          if (update.Key?.['pk']?.S?.startsWith('NONCE#')) {
            dropConditions(update, 'pk');
            update.ConditionExpression = 'attribute_exists(pk) OR attribute_not_exists(pk)';
          }
      }),
    }),
  },
  {
    name: 'key that was revoked read as good',
    invariant: 12,
    faultFactor: 2,
    mutate: () => ({
      answer: (_, answer) => ({
        ...answer,
        body: answer.body.replaceAll(/,\\"(?:revokedAt|expiresAt)\\":\d+/g, ''),
      }),
    }),
  },
];
