import { beforeEach, describe, expect, test } from '@jest/globals';
import { COPIES_TRUSTED_MS } from '../../../lib/data-copies.ts';
import type { WorkData } from '../../../lib/schemas/data.ts';
import type { FleetResource } from '../../../lib/services/fleet.ts';
import { ReadinessBook } from '../../../lib/services/readiness/book.ts';
import type { Runtime } from '../../../lib/services/runtime.ts';
import { encodeGroup, type GroupRecord } from '../../../lib/store/placement/groups.ts';
import { mapVector } from '../../../lib/vector.ts';

const NOW = 1_700_000_000_000;
const even = (n: number) => mapVector(() => n);

const resourceOf = (id: string, labscape: string, group?: string) =>
  ({
    ...{ id, labscape, status: 'healthy', since: 0, cfg: 1, epoch: 1, labels: {}, weight: 100 },
    ...{ capacity: even(1_000), limit: even(800), fill: even(720), used: even(group === undefined ? 0 : 50) },
    groups: group === undefined ? [] : [{ group, kind: 'normal.x' }],
    assignmentRevision: 1,
  }) as unknown as FleetResource;

const groupOf = (id: string, resource: string, data: WorkData) =>
  ({
    ...{ id, resource, labscape: 'north', epoch: 1, status: 'placed', class: 'normal', kind: 'normal.x' },
    ...{ constraints: {}, data, demand: even(50), count: 1, load: 1, runningEpoch: 1, runningCount: 1 },
    since: 0,
  }) as unknown as GroupRecord;

/** All of north holds one group; south could take it. */
const FLEET = [
  resourceOf('north-1', 'north', 'g'),
  resourceOf('south-1', 'south'),
  resourceOf('south-2', 'south'),
];

let book: ReadinessBook;
let now: number;
let data: WorkData;
/** Groups that were read. */
let read: number;

const look = async () => {
  const runtime = {
    clock: { now: () => now, monotonicMs: () => now - NOW },
    store: {
      getMany: async (keys: readonly unknown[]) => {
        read += keys.length;
        return keys.map(() => encodeGroup(groupOf('g', 'north-1', data)));
      },
    },
  } as unknown as Runtime;
  read = 0;
  await book.plan(runtime, FLEET);
  const why = (fit: ReturnType<ReadinessBook['fitOf']>) => (fit.kind === 'waits' ? fit.why : fit.kind);
  return { one: why(book.fitOf('north-1')), whole: why(book.wholeFitOf('north')), read };
};

const copyOn = (resource: string, asOf: number, more: Partial<WorkData> = {}): WorkData => ({
  ...{ required: true, maxAgeMs: 60_000, copies: [{ resource, asOf }] },
  ...more,
});

beforeEach(() => {
  book = new ReadinessBook();
  now = NOW;
  data = copyOn('south-2', NOW - 50_000);
});

const FITS = { one: 'fits', whole: 'fits' };
const LACKS = { one: 'no-fresh-copy', whole: 'no-fresh-copy' };

describe('what a failure would come to, of work that demands its data', () => {
  test('turns from fits to waits with the moment after the copy was fresh for the last time, and by time alone', async () => {
    expect(await look()).toEqual({ ...FITS, read: 1 });
    now = NOW + 10_000;
    expect(await look()).toEqual({ ...FITS, read: 0 });
    now += 1;
    expect(await look()).toEqual({ ...LACKS, read: 1 });
  });

  test('fits again with the next word about its copies, which changes nothing else; then nothing is planned', async () => {
    now = NOW + 20_000;
    expect(await look()).toEqual({ ...LACKS, read: 1 });
    data = copyOn('south-1', NOW + 30_000);
    now += 10_000;
    expect(await look()).toEqual({ ...FITS, read: 1 });
    now += 59_000;
    expect(await look()).toEqual({ ...FITS, read: 0 });
  });

  test('is planned anew once in each life of a copy where copies are kept fresh', async () => {
    let [planned, looks] = [0, 0];
    for (; looks < 60; looks += 1) {
      data = copyOn('south-2', now, { maxAgeMs: 300_000 });
      const found = await look();
      expect(found).toMatchObject(FITS);
      planned += found.read;
      now += 60_000;
    }
    expect([looks, planned]).toEqual([60, 10]);
  });

  test('believes a copy that never becomes stale for a while only: it may be gone', async () => {
    data = copyOn('south-2', NOW, { maxAgeMs: undefined });
    expect(await look()).toEqual({ ...FITS, read: 1 });
    data = { ...data, copies: [] };
    now = NOW + COPIES_TRUSTED_MS;
    expect(await look()).toEqual({ ...FITS, read: 0 });
    now += 1;
    expect(await look()).toEqual({ ...LACKS, read: 1 });
  });

  test('is planned once where it only prefers its data', async () => {
    data = copyOn('south-2', NOW - 50_000, { required: false });
    expect(await look()).toEqual({ ...FITS, read: 1 });
    now = NOW + 10 * COPIES_TRUSTED_MS;
    expect(await look()).toEqual({ ...FITS, read: 0 });
  });
});
