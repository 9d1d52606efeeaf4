import { hashEvent } from '../../../lib/audit/event.ts';
import { decodeEvent } from '../../../lib/store/events.ts';
import type { WireRequest } from '../worker/store-line.ts';
import { dropChanges, dropConditions, editing, type Writes, withoutEvents } from './mutation-wire.ts';
import type { Mutation } from './mutations.ts';

const ofKind = (writes: Writes, prefix: string) =>
  writes.updates.filter(({ Key }) => Key?.['sk']?.S?.startsWith(prefix));

interface Event {
  readonly body?: string;
  readonly queryStringParameters?: { readonly tenant?: string };
  readonly requestContext?: { readonly authorizer: { readonly lambda: Readonly<Record<string, unknown>> } };
}

/** Health, safety rules, tenants and versions. */
export const RULE_MUTATIONS: readonly Mutation[] = [
  {
    name: 'stale beat accepted',
    invariant: 8,
    faultFactor: 1,
    // Neither the function, by what it reads, nor the condition of its write knows of an earlier number.
    mutate: () => ({
      answer: (request, answer, by) =>
        by.startsWith('heartbeats#') && request.body.includes('"BEAT#')
          ? { ...answer, body: answer.body.replaceAll(SEQ, '') }
          : answer,
      request: editing((writes, by) => {
        if (by.startsWith('heartbeats#'))
          for (const beats of ofKind(writes, 'BEAT#'))
            dropConditions(beats, ...Object.values(beats.ExpressionAttributeNames ?? {}).filter(isAgent));
      }),
    }),
  },
  {
    name: 'no grace after blindness',
    invariant: 8,
    faultFactor: 6,
    mutate: () => ({
      request: editing((writes) => {
        for (const beats of ofKind(writes, 'BEAT#')) dropChanges(beats, 'graceUntil');
      }),
    }),
  },
  {
    // Every breaker is told to trip at more than everything.
    name: 'breaker ignored',
    invariant: 9,
    faultFactor: 3,
    mutate: () => ({
      answer: (_request, answer, by) =>
        by.startsWith('recovery#')
          ? { ...answer, body: answer.body.replaceAll(/\\"breakerShare\\":[0-9.]+/g, '\\"breakerShare\\":1') }
          : answer,
    }),
  },
  {
    name: 'cool-down forgotten',
    invariant: 9,
    faultFactor: 1,
    mutate: () => ({
      request: editing((writes) => {
        for (const resource of ofKind(writes, 'RES#')) dropChanges(resource, 'recoveredAt');
      }),
    }),
  },
  {
    // Whose allocation it is, is taken from the address instead of the token.
    name: 'tenant taken from the request',
    invariant: 12,
    faultFactor: 1,
    mutate: () => ({
      event: (name, event) => {
        const { queryStringParameters, requestContext } = event as Event;
        const tenant = queryStringParameters?.tenant;
        if (name !== 'allocations' || tenant === undefined) return event;
        const lambda = { ...requestContext?.authorizer.lambda, tenant };
        return { ...(event as Event), requestContext: { authorizer: { lambda } } };
      },
    }),
  },
  {
    name: 'revocation not looked at',
    invariant: 12,
    faultFactor: 3,
    mutate: () => ({
      answer: (request, answer, by) =>
        by.startsWith('allocations#') && request.body.includes('"PRINCIPAL#')
          ? { status: 200, body: '{}' }
          : answer,
    }),
  },
  {
    name: 'major versions not compared',
    invariant: 13,
    faultFactor: 1,
    mutate: () => ({
      event: (name, event) => {
        const { body } = event as Event;
        return name === 'labscapes' && body !== undefined
          ? { ...(event as Event), body: body.replaceAll('"2.0"', '"1.0"') }
          : event;
      },
    }),
  },
];

/** An agent's number in an item, and the comma behind it or before it. */
const SEQ = /"a_[^"]*":\{"N":"\d+"\},|,"a_[^"]*":\{"N":"\d+"\}/g;
const isAgent = (name: string): boolean => name.startsWith('a_');

const MOVES = ['resource.flipped', 'resource.preempted'];

const isFlip = (request: WireRequest): boolean =>
  request.operation === 'TransactWriteItems' && MOVES.some((type) => request.body.includes(`"${type}"`));

/** The event of a flip or a pre-emption tells of all its moves, or of all that waits, but the last; its hash is right. */
const tellingLess = (request: WireRequest): WireRequest => {
  const items = isFlip(request)
    ? withoutEvents(request).events.flatMap(({ Item }) => (Item ? [Item] : []))
    : [];
  const event = items.map(decodeEvent).find(({ type }) => MOVES.includes(type));
  if (event === undefined) return request;
  const lists = Object.entries(event.body).filter(([name]) => name === 'moves' || name === 'pending');
  const list = lists.find(
    (entry): entry is [string, unknown[]] => Array.isArray(entry[1]) && entry[1].length > 0,
  );
  if (list === undefined) return request;
  const body = { ...event.body, [list[0]]: list[1].slice(0, -1) };
  const told = JSON.stringify(JSON.stringify(event.body)).slice(1, -1);
  return {
    ...request,
    body: request.body
      .replace(told, () => JSON.stringify(JSON.stringify(body)).slice(1, -1))
      .replaceAll(event.hash, hashEvent({ ...event, body })),
  };
};

/** The record of what happened. */
export const AUDIT_MUTATIONS: readonly Mutation[] = [
  {
    name: 'audit written after instead of inside',
    invariant: 10,
    faultFactor: 1,
    mutate: () => ({
      request: (request) => (isFlip(request) ? withoutEvents(request).rest : request),
      after: (request) => {
        const [event] = isFlip(request) ? withoutEvents(request).events : [];
        return event === undefined
          ? undefined
          : { operation: 'PutItem', body: JSON.stringify({ TableName: event.TableName, Item: event.Item }) };
      },
    }),
  },
  {
    name: 'move left out of its event',
    invariant: 10,
    faultFactor: 1,
    mutate: () => ({ request: tellingLess }),
  },
];
