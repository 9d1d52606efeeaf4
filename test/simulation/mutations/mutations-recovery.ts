import type { EngineAnswer } from '../worker/engine-line.ts';
import type { WireRequest } from '../worker/store-line.ts';
import { changeOf, dropChanges, dropConditions, editing, type Writes } from './mutation-wire.ts';
import type { Mutation } from './mutations.ts';

const ofKind = (writes: Writes, prefix: string) =>
  writes.updates.filter(({ Key }) => Key?.['sk']?.S?.startsWith(prefix));
const has = ({ events }: Writes, ...types: readonly string[]): boolean =>
  events.some((type) => types.includes(type));

const LOST = /ConditionalCheckFailed|TransactionConflict/;
const OUTAGE: EngineAnswer = { status: 500, body: '{"__type":"InternalServerError","message":"mutated"}' };

/** The lock of a resource is not told by reads of the resource. */
const unlocked = (request: WireRequest, answer: EngineAnswer, by: string): EngineAnswer => {
  const blind = by.startsWith('recovery#') || by.startsWith('resources#');
  if (!blind || request.operation !== 'GetItem' || !request.body.includes('RES#')) return answer;
  const body: { Item?: Record<string, unknown> } = JSON.parse(answer.body);
  delete body.Item?.['recovery'];
  return { ...answer, body: JSON.stringify(body) };
};

/** The fence, the lock, the replay guard of phases, and how a recovery ends. */
export const RECOVERY_MUTATIONS: readonly Mutation[] = [
  {
    // Seen where the status was the only guard: a drain fences a resource that is healthy.
    name: 'fence forgotten',
    invariant: 4,
    faultFactor: 3,
    mutate: () => ({
      request: editing((writes) => {
        if (has(writes, 'resource.fenced'))
          for (const resource of ofKind(writes, 'RES#')) dropChanges(resource, 'status');
      }),
    }),
  },
  {
    // The fence's task sees no beat, so it does not wait until the old owner has stopped.
    name: 'lease of the old owner not waited for',
    invariant: 1,
    faultFactor: 10,
    mutate: () => ({
      answer: (request, answer, by) =>
        by.startsWith('recovery#') && request.operation === 'GetItem' && request.body.includes('BEAT#')
          ? { status: 200, body: '{}' }
          : answer,
    }),
  },
  {
    // Recoveries do not see the lock, and no condition holds it against a second one of another epoch.
    name: 'lock not looked at',
    invariant: 5,
    faultFactor: 6,
    mutate: () => ({
      answer: unlocked,
      request: editing((writes) => {
        if (has(writes, 'resource.fenced', 'resource.failed', 'recovery.awaiting-approval'))
          for (const resource of ofKind(writes, 'RES#')) dropConditions(resource, 'recovery');
      }),
    }),
  },
  {
    name: 'replayed task takes effect',
    invariant: 6,
    faultFactor: 1,
    mutate: () => ({
      request: editing((writes) => {
        for (const recovery of ofKind(writes, 'REC#')) dropConditions(recovery, 'nextPhase', 'attempt');
      }),
    }),
  },
  {
    name: 'lock not released on refusal',
    invariant: 7,
    faultFactor: 2,
    mutate: () => ({
      request: editing((writes) => {
        if (has(writes, 'recovery.refused', 'recovery.cancelled'))
          for (const resource of ofKind(writes, 'RES#')) dropChanges(resource, 'recovery');
      }),
    }),
  },
  {
    // Who takes a lost race for an outage never learns what it lost to, and asks for the same again: no end.
    name: 'lost race treated as outage',
    invariant: 6,
    faultFactor: 1,
    mutate: () => ({
      answer: (request, answer) =>
        request.operation === 'TransactWriteItems' && answer.status === 400 && LOST.test(answer.body)
          ? OUTAGE
          : answer,
    }),
  },
  {
    // The sweep starts what is owed under the name of the execution that died, again and again.
    name: 'name of a dead execution not retired',
    invariant: 6,
    faultFactor: 3,
    mutate: () => ({
      request: editing((writes, by) => {
        if (!by.startsWith('sweep#') || writes.updates.length !== 1) return;
        for (const resource of ofKind(writes, 'RES#'))
          if (changeOf(resource, 'attempt') !== undefined)
            resource.ConditionExpression += ' AND attribute_not_exists(pk)';
      }),
    }),
  },
  {
    name: 'order to drain not kept',
    invariant: 6,
    faultFactor: 3,
    mutate: () => ({
      request: editing((writes) => {
        for (const { ExpressionAttributeNames: names = {} } of ofKind(writes, 'RES#'))
          for (const alias of Object.keys(names)) if (names[alias] === 'drainAt') names[alias] = 'unheard';
      }),
    }),
  },
  {
    // What the write of a hold that begins now would change: its end stays where it was when the clock was set.
    name: 'hold begins anew with each look',
    invariant: 6,
    faultFactor: 2,
    mutate: () => ({
      request: editing(({ updates }, by) => {
        if (!by.startsWith('assignments#')) return;
        for (const update of updates) {
          const end = changeOf(update, 'heldUntil');
          const before = Object.values(update.ExpressionAttributeValues ?? {}).find((value) => value !== end);
          if (end?.N !== undefined && before?.N !== undefined) end.N = before.N;
        }
      }),
    }),
  },
];
