import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { foldEvents } from '../../lib/audit/fold.ts';
import { ApiProblem } from '../../lib/client/api-error.ts';
import type { BatchAnswer, BatchInput } from '../../lib/schemas/batch.ts';
import { sum, within } from '../../lib/vector.ts';
import { collect, even, patiently, type Rig, refusalOf, startRig, vector } from './rig.ts';
import { FILL, newSite, type Site } from './site.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());

type Wish = Partial<BatchInput['items'][number]>;

const batch = (
  site: Site,
  mode: BatchInput['mode'],
  demands: readonly number[],
  key: string,
  wish: Wish = {},
): Promise<BatchAnswer> =>
  rig.admin.call('allocateBatch', {
    headers: { 'idempotency-key': `${site.id}-${key}` },
    body: {
      ...{ tenant: site.tenant, mode },
      items: demands.map((processing) => ({
        demand: vector({ processing }),
        constraints: { labscapes: [site.labscape], labels: site.labels },
        ...wish,
      })),
    },
  });

const placedOf = ({ items }: BatchAnswer) => items.flatMap(({ allocation }) => allocation ?? []);

describe('a gang', () => {
  test('is placed whole in one transaction, and once for its key', async () => {
    const site = await newSite(rig, { resources: 3 });
    const answer = await batch(site, 'gang', [400, 400, 5, 5, 300, 5], 'a');
    expect(answer.items.map(({ status }) => status)).toEqual(Array.from({ length: 6 }, () => 201));
    const placed = placedOf(answer);
    // The small ones of one kind on one resource are one group.
    expect(new Set(placed.filter((a) => a.demand.processing === 5).map((a) => a.group)).size).toBe(1);
    await site.expectNothingLost(placed);
    const again = await batch(site, 'gang', [400, 400, 5, 5, 300, 5], 'a');
    expect(again.items.map(({ status }) => status)).toEqual(Array.from({ length: 6 }, () => 200));
    expect(placedOf(again).map(({ id }) => id)).toEqual(placed.map(({ id }) => id));
    expect((await refusalOf(batch(site, 'gang', [400, 400], 'a'))).code).toBe('idempotency-mismatch');
    await site.expectAuditWhole();
    const events = await collect(rig.admin.pages('listEvents', { query: { limit: 500 } }));
    expect(foldEvents(events).faults).toEqual([]);
    for (const { id } of placed) await site.release(id);
    expect(await site.quotaUsed()).toEqual(even(0));
  });

  test('joins the open group that is there', async () => {
    const site = await newSite(rig);
    const first = await site.place(10);
    const placed = placedOf(await batch(site, 'gang', [5, 5, 5], 'join'));
    expect(new Set(placed.map(({ group }) => group))).toEqual(new Set([first.group]));
    await site.expectNothingLost([first, ...placed]);
  });

  test('that does not fit whole leaves nothing, and says what stands in the way', async () => {
    const site = await newSite(rig, { resources: 2 });
    const before = await rig.state();
    const refusal = await refusalOf(batch(site, 'gang', [FILL, FILL - 10, 20], 'b'));
    expect(refusal.code).toBe('no-capacity');
    expect(refusal.reasons).toMatchObject({ item: 2, placed: 2 });
    expect(refusal.reasons['changes']).toContainEqual(
      expect.objectContaining({ less: { processing: 10 }, drop: [] }),
    );
    expect(await rig.state()).toEqual(before);
  });

  test('beyond one transaction is refused with the number that is possible, which is', async () => {
    const site = await newSite(rig, { resources: 4 });
    const many = Array.from({ length: 60 }, () => 40);
    const refusal = await refusalOf(batch(site, 'gang', many, 'c'));
    expect(refusal.code).toBe('invalid-input');
    const possible = Number(refusal.reasons['possible']);
    // Each is a group of its own, 18 on a resource: 3 items each, 2 resources, 1 slice.
    expect(possible).toBe(32);
    const placed = placedOf(await batch(site, 'gang', many.slice(0, possible), 'd'));
    expect(placed).toHaveLength(possible);
    await site.expectNothingLost(placed);
  });

  test('neither waits nor pre-empts', async () => {
    const site = await newSite(rig);
    const waits = await refusalOf(batch(site, 'gang', [1], 'e', { onFull: 'wait' }));
    expect([waits.code, waits.errors[0]?.field]).toEqual(['invalid-input', 'items.0.onFull']);
  });

  test('races others for a quota: who loses takes nothing and hears why', async () => {
    const site = await newSite(rig, { resources: 2, quota: vector({ processing: 100 }), slices: 4 });
    const outcomes = await Promise.all(
      Array.from({ length: 6 }, async (_, i): Promise<BatchAnswer | string> => {
        try {
          return await patiently(() => batch(site, 'gang', [15, 15, 15], `race-${i}`));
        } catch (error) {
          if (error instanceof ApiProblem) return error.code;
          throw error;
        }
      }),
    );
    const won = outcomes.filter((one): one is BatchAnswer => typeof one !== 'string');
    expect(won).toHaveLength(2);
    expect(outcomes.filter((one) => one === 'quota-exceeded')).toHaveLength(4);
    await site.expectNothingLost(won.flatMap(placedOf));
    expect(await site.quotaUsed()).toEqual(vector({ processing: 90 }));
  });

  test('races others for room: no fill is passed, no gang is half placed', async () => {
    const site = await newSite(rig, { shared: true, resources: 2 });
    const outcomes = await Promise.all(
      Array.from({ length: 5 }, (_, i) =>
        patiently(() => batch(site, 'gang', [200, 200, 200], `room-${i}`)).catch((error: unknown) =>
          error instanceof ApiProblem ? error.code : String(error),
        ),
      ),
    );
    const won = outcomes.flatMap((one) => (typeof one === 'string' ? [] : [placedOf(one)]));
    expect(won.every((gang) => gang.length === 3)).toBe(true);
    expect(won).toHaveLength(2);
    for (const { used, fill } of await site.all()) expect(within(used, fill)).toBe(true);
    await site.expectNothingLost(won.flat());
  });
});

describe('best effort', () => {
  test('answers for each by itself, and goes on where it stopped', async () => {
    const site = await newSite(rig, { quota: vector({ processing: 600 }) });
    const answer = await batch(site, 'best-effort', [500, 90, 200, 10], 'f');
    expect(answer.items.map(({ status }) => status)).toEqual([201, 201, 409, 201]);
    expect(answer.items[2]?.problem).toMatchObject({ code: 'quota-exceeded' });
    const again = await batch(site, 'best-effort', [500, 90, 200, 10], 'f');
    expect(again.items.map(({ status }) => status)).toEqual([200, 200, 409, 200]);
    expect(sum(placedOf(again).map((a) => a.demand))).toEqual(vector({ processing: 600 }));
  });
});
