import { beforeEach, describe, expect, test } from '@jest/globals';
import type { WorkData } from '../../../lib/schemas/data.ts';
import type { FleetResource } from '../../../lib/services/fleet.ts';
import { reserveAfter } from '../../../lib/services/reserve/reserve.ts';
import type { Runtime } from '../../../lib/services/runtime.ts';
import { encodeGroup, type GroupRecord } from '../../../lib/store/placement/groups.ts';
import { add, mapVector } from '../../../lib/vector.ts';

const NOW = 1_700_000_000_000;
const LAB = 'north';
const even = (n: number) => mapVector(() => n);

const resourceOf = (id: string, used: number, groups: readonly string[]) =>
  ({
    ...{ id, labscape: LAB, status: 'healthy', since: 0, cfg: 1, epoch: 1, labels: {}, weight: 100 },
    ...{ capacity: even(1_000), limit: even(800), fill: even(533), used: even(used) },
    groups: groups.map((group) => ({ group, kind: 'normal.x' })),
    assignmentRevision: 1,
  }) as unknown as FleetResource;

const groupOf = (id: string, resource: string, size: number, data?: WorkData) =>
  ({
    ...{ id, resource, labscape: LAB, epoch: 1, status: 'placed', class: 'normal', kind: 'normal.x' },
    ...{ constraints: {}, data, demand: even(size), count: 1, load: 1, runningEpoch: 1, runningCount: 1 },
    since: 0,
  }) as unknown as GroupRecord & { readonly resource: string };

let now: number;
let data: WorkData | undefined;
/** Groups that were read. */
let read: number;
let runtime: Runtime;

/** On r1 runs work of 450 with these data; r2 and r3 could take it. */
const fleet = [resourceOf('r1', 450, ['g1']), resourceOf('r2', 0, []), resourceOf('r3', 0, [])];

/** The answer to an admission of `size` on a resource. */
const admitted = async (resource: string, size: number) => {
  const target = fleet.find(({ id }) => id === resource);
  if (target === undefined) throw new Error(`no ${resource}`);
  const after = { ...target, used: add(target.used, even(size)) };
  read = 0;
  const decision = await reserveAfter(runtime, LAB, [
    { resource: after, groups: (held) => [...held, groupOf('new', resource, size)] },
  ]);
  return decision.kind === 'ok' ? 'ok' : decision.reason;
};

const WAITS =
  'if r1 failed, 1 of its groups would wait: processing 450, memory 450, storage 450, network 450 is lacking';
const copiesOn = (...resources: readonly string[]): WorkData => ({
  required: true,
  maxAgeMs: 60_000,
  copies: resources.map((resource) => ({ resource, asOf: NOW - 50_000 })),
});

beforeEach(() => {
  now = NOW;
  data = undefined;
  runtime = {
    clock: { now: () => now, monotonicMs: () => now - NOW },
    fleet: {
      policyOf: () => ({ fill: 'n+1', reserve: 'warn' }),
      snapshot: async () => ({ resources: fleet }),
    },
    store: {
      getMany: async (keys: readonly unknown[]) => {
        read += keys.length;
        return keys.map(() => encodeGroup(groupOf('g1', 'r1', 450, data)));
      },
    },
  } as unknown as Runtime;
});

describe('the check of every failure, of work that demands its data', () => {
  test('counts on room only where a fresh copy is', async () => {
    data = copiesOn('r2');
    expect(await admitted('r3', 450)).toBe('ok');
    expect(await admitted('r2', 450)).toBe(WAITS);
  });

  test('counts on any room of those with a copy, and on all where none is: it waits for its data, not for room', async () => {
    data = copiesOn('r2', 'r3');
    expect(await admitted('r2', 450)).toBe('ok');
    runtime = { ...runtime };
    data = copiesOn('r1', 'elsewhere');
    expect(await admitted('r2', 450)).toBe('ok');
    expect(await admitted('r3', 450)).toBe('ok');
  });

  test('goes by the clock: a copy that has become stale is none, though nothing else has changed', async () => {
    data = {
      ...copiesOn('r2'),
      copies: [
        { resource: 'r2', asOf: NOW - 50_000 },
        { resource: 'r3', asOf: NOW },
      ],
    };
    expect(await admitted('r3', 450)).toBe('ok');
    now = NOW + 10_001;
    expect(await admitted('r3', 450)).toBe(WAITS);
  });

  test('hears the next word about copies, and reads no group anew before one of them is stale', async () => {
    data = copiesOn('r2');
    expect([await admitted('r2', 450), read]).toEqual([WAITS, 1]);
    data = { ...copiesOn(), copies: [{ resource: 'r3', asOf: NOW }] };
    now = NOW + 10_000;
    expect([await admitted('r2', 450), read]).toEqual([WAITS, 0]);
    now += 1;
    expect([await admitted('r2', 450), read]).toEqual(['ok', 1]);
  });

  test('reads groups that say nothing of data once', async () => {
    await admitted('r2', 450);
    expect(read).toBe(1);
    now += 10_000_000;
    await admitted('r2', 450);
    expect(read).toBe(0);
  });
});
