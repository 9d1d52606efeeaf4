import { N } from '../../../lib/store/table/attributes.ts';
import {
  changeOf,
  dropChanges,
  dropConditions,
  editing,
  raiseBound,
  type Writes,
  withoutLastMember,
} from './mutation-wire.ts';
import type { Mutation } from './mutations.ts';

const DIMENSIONS = ['P', 'M', 'S', 'N'] as const;
const ofKind = (writes: Writes, prefix: string) =>
  writes.updates.filter(({ Key }) => Key?.['sk']?.S?.startsWith(prefix));
const has = ({ events }: Writes, ...types: readonly string[]): boolean =>
  events.some((type) => types.includes(type));

/** Conditions and amounts of placing, releasing and moving. */
export const STORE_MUTATIONS: readonly Mutation[] = [
  {
    // Where it is the only guard: a release gives back to the owner that it has read. The flip's own comparison of
    // epochs is doubled by the chain of its source and by `load`.
    name: 'epoch condition dropped',
    invariant: 3,
    faultFactor: 6,
    mutate: () => ({
      request: editing((writes) => {
        if (has(writes, 'allocation.released'))
          for (const group of ofKind(writes, 'GRP#')) dropConditions(group, 'epoch');
      }),
    }),
  },
  {
    name: 'owner changed under the old epoch',
    invariant: 1,
    faultFactor: 1,
    mutate: () => ({
      request: editing((writes) => {
        if (!has(writes, 'resource.flipped', 'resource.preempted')) return;
        for (const group of ofKind(writes, 'GRP#')) {
          const epoch = changeOf(group, 'epoch');
          if (epoch?.N !== undefined) epoch.N = String(Number(epoch.N) - 1);
        }
      }),
    }),
  },
  {
    name: 'member not counted',
    invariant: 2,
    faultFactor: 1,
    mutate: () => ({
      request: editing((writes) => {
        if (!has(writes, 'allocation.placed')) return;
        for (const group of ofKind(writes, 'GRP#')) Object.assign(changeOf(group, 'count') ?? {}, N(0));
      }),
    }),
  },
  {
    // Of the failover's targets and of placement: used ≤ bound instead of used + demand ≤ bound.
    name: 'limit compared before the add',
    invariant: 3,
    faultFactor: 6,
    mutate: () => ({
      request: editing((writes) => {
        for (const resource of ofKind(writes, 'RES#'))
          for (const letter of DIMENSIONS)
            raiseBound(resource, `used${letter}`, Number(changeOf(resource, `used${letter}`)?.N ?? 0));
      }),
    }),
  },
  {
    // A release may change the members of a group while its flip is planned; the count of groups does not tell.
    name: 'load ignored at the flip',
    invariant: 3,
    faultFactor: 6,
    mutate: () => ({
      request: editing((writes) => {
        if (has(writes, 'resource.flipped'))
          for (const group of ofKind(writes, 'GRP#')) dropConditions(group, 'load');
      }),
    }),
  },
  {
    name: 'quota slice leaked',
    invariant: 3,
    faultFactor: 1,
    mutate: () => ({
      request: editing((writes) => {
        if (!has(writes, 'allocation.released')) return;
        for (const slice of ofKind(writes, 'TENANT#'))
          for (const letter of DIMENSIONS) Object.assign(changeOf(slice, `used${letter}`) ?? {}, N(0));
      }),
    }),
  },
  {
    // The fleet is a picture of a second ago; only this condition knows that a fence came in between.
    name: 'health of the owner not asked',
    invariant: 4,
    faultFactor: 3,
    mutate: () => ({
      request: editing((writes) => {
        if (has(writes, 'allocation.placed', 'resource.received'))
          for (const resource of ofKind(writes, 'RES#')) dropConditions(resource, 'status');
      }),
    }),
  },
  {
    // Two functions place on pictures of the same second.
    name: 'devices taken whatever was seen',
    invariant: 3,
    faultFactor: 1,
    mutate: () => ({
      request: editing((writes) => {
        for (const resource of ofKind(writes, 'RES#')) dropConditions(resource, 'devUsed');
      }),
    }),
  },
  {
    name: 'devices not given back',
    invariant: 3,
    faultFactor: 1,
    mutate: () => ({
      request: editing((writes) => {
        if (!has(writes, 'allocation.released')) return;
        for (const resource of ofKind(writes, 'RES#')) {
          dropConditions(resource, 'devUsed');
          dropChanges(resource, 'devUsed');
        }
      }),
    }),
  },
  {
    name: 'hard spread key not asked for',
    invariant: 3,
    faultFactor: 1,
    mutate: () => ({
      request: editing((writes) => {
        for (const resource of ofKind(writes, 'RES#')) dropConditions(resource, 'spread');
      }),
    }),
  },
];

/** What comes together, and what gives way. */
export const TOGETHER_MUTATIONS: readonly Mutation[] = [
  {
    // As if a gang were placed member by member.
    name: 'gang placed in part',
    invariant: 14,
    faultFactor: 1,
    mutate: () => ({
      request: (request) => (request.body.includes('\\"gang\\"') ? withoutLastMember(request) : request),
    }),
  },
  {
    // As if the classes were not compared: an equal gives way to an equal.
    name: 'low work pre-empts',
    invariant: 15,
    faultFactor: 1,
    mutate: () => ({
      request: editing((writes) => {
        if (!has(writes, 'resource.preempted')) return;
        for (const { Item } of writes.puts) {
          const nature = Item?.['nature']?.S;
          if (Item !== undefined && nature !== undefined)
            Item['nature'] = { S: nature.replace(/^\["(critical|high)"/, '["low"') };
        }
      }),
    }),
  },
];
