import type { EngineAnswer } from '../worker/engine-line.ts';
import type { WireRequest } from '../worker/store-line.ts';
import { editing } from './mutation-wire.ts';
import type { Mutation } from './mutations.ts';

const SEALS = new Set(['seal', 'seal-draft']);
const isSealer = (by: string): boolean => by.startsWith('sealer#');

/** As if the sealer never looked at a window again: each query of the index for events begins where the last one ended. */
const onlyForward = () => {
  const seen = new Map<string, number>();
  return (request: WireRequest, by: string): WireRequest => {
    if (!isSealer(by) || !request.body.includes('"byTime"')) return request;
    const body = JSON.parse(request.body);
    const { ':day': day, ':from': from, ':to': to } = body.ExpressionAttributeValues;
    if (day.S === 'seals' || body.Limit === 1) return request;
    const end = Number(to.S.slice(0, 13));
    const before = seen.get(by) ?? 0;
    if (end > before) seen.set(by, end);
    if (end > before) return request;
    body.ExpressionAttributeValues[':to'] = from;
    return { ...request, body: JSON.stringify(body) };
  };
};

/** Seals, and what they are checked by. */
export const SEAL_MUTATIONS: readonly Mutation[] = [
  {
    // Two sealers that see different events each decide for themselves.
    name: 'draft of a seal overwritten',
    invariant: 17,
    faultFactor: 1,
    mutate: () => ({
      request: editing(({ puts }) => {
        for (const put of puts) if (SEALS.has(put.Item?.['entity']?.S ?? '')) delete put.ConditionExpression;
      }),
    }),
  },
  {
    name: 'late events not looked for',
    invariant: 17,
    faultFactor: 1,
    mutate: () => ({ request: onlyForward() }),
  },
  {
    // The verification reads what it read before.
    name: 'tables verified from an old picture',
    invariant: 18,
    faultFactor: 1,
    mutate: () => {
      const before = new Map<string, EngineAnswer>();
      return {
        answer: (request, answer, by) => {
          if (by !== 'verification') return answer;
          const old = before.get(request.body) ?? answer;
          before.set(request.body, old);
          return old;
        },
      };
    },
  },
];
