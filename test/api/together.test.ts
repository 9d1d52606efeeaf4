import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { foldEvents } from '../../lib/audit/fold.ts';
import { reconcileState } from '../../lib/audit/reconcile-state.ts';
import { ApiProblem } from '../../lib/client/api-error.ts';
import type { BatchAnswer, BatchInput } from '../../lib/schemas/batch.ts';
import { collect, even, patiently, type Rig, refusalOf, startRig, vector } from './rig.ts';
import { CAPACITY, newSite, type Site } from './site.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());

type Wish = Partial<BatchInput['items'][number]>;

const hard = (key: string) => ({ constraints: { spread: { key, hard: true } } });
const asks = (count: number, milli = 1_000) => ({ devices: { count, milli } });
const urgent = { class: 'critical', preempt: true } as const;

const withDevices = async (site: Site, count: number): Promise<string> => {
  const id = `${site.id}-d${site.resources.length + 1}`;
  await rig.admin.call('registerResource', {
    body: {
      ...{ id, labscape: site.labscape, capacity: even(CAPACITY), labels: site.labels },
      devices: { model: 'h100', count },
    },
  });
  site.resources.push(id);
  return id;
};

const used = async (id: string): Promise<readonly number[] | undefined> =>
  (await rig.admin.call('getResource', { params: { resource: id } })).devices?.used;

const gang = (site: Site, key: string, wishes: readonly Wish[]): Promise<BatchAnswer> =>
  rig.admin.call('allocateBatch', {
    headers: { 'idempotency-key': `${site.id}-${key}` },
    body: {
      ...{ tenant: site.tenant, mode: 'gang' },
      items: wishes.map(({ constraints, ...wish }) => ({
        demand: vector({ processing: 5 }),
        ...wish,
        constraints: { labscapes: [site.labscape], labels: site.labels, ...constraints },
      })),
    },
  });

const placedOf = ({ items }: BatchAnswer) => items.flatMap(({ allocation }) => allocation ?? []);

/** What all entities say of themselves agrees with what their events rebuild. */
async function expectFoldAgrees(): Promise<void> {
  const events = await collect(rig.admin.pages('listEvents', { query: { limit: 500 } }));
  const folded = foldEvents(events);
  expect(folded.faults).toEqual([]);
  const resources = await collect(rig.admin.pages('listResources'));
  const lines = reconcileState(folded, { resources, allocations: [] });
  expect(lines.filter((line) => !line.includes('allocation'))).toEqual([]);
}

/** How many of these were placed, each repeated while it is told to come back. */
const placedCounts = (calls: readonly (() => Promise<number>)[]): Promise<number[]> =>
  Promise.all(
    calls.map((call) =>
      patiently(call).catch((error: unknown) => {
        if (error instanceof ApiProblem && error.code === 'no-capacity') return 0;
        throw error;
      }),
    ),
  );

describe('a gang', () => {
  test('with a hard spread key is apart, or is not placed at all', async () => {
    const site = await newSite(rig, { resources: 3 });
    expect((await refusalOf(gang(site, 'four', Array(4).fill(hard('web'))))).code).toBe('no-capacity');
    const three = placedOf(await gang(site, 'three', Array(3).fill(hard('web'))));
    expect(new Set(three.map(({ resource }) => resource)).size).toBe(3);
    // The marks are there: nobody else of the key comes in, until one has gone.
    expect((await refusalOf(site.ask(5, hard('web')))).reasons['resources']).toMatchObject({
      'spread-taken': 3,
    });
    await site.release(three[1]?.id ?? '');
    expect((await site.place(5, hard('web'))).resource).toBe(three[1]?.resource);
    await expectFoldAgrees();
  });

  test('of one hard key races with another: never two on one resource', async () => {
    const site = await newSite(rig, { resources: 4 });
    const racing = [0, 1, 2].map(
      (i) => () =>
        gang(site, `race-${i}`, Array(2).fill(hard('web'))).then((answer) => placedOf(answer).length),
    );
    expect((await placedCounts(racing)).sort()).toEqual([0, 2, 2]);
    await expectFoldAgrees();
  });

  test('on devices races with others: no device is given twice, and none of it is placed in part', async () => {
    const site = await newSite(rig, { resources: 0 });
    const ids = [await withDevices(site, 2), await withDevices(site, 2)];
    const gangs = [0, 1, 2].map(
      (i) => () => gang(site, `devices-${i}`, [asks(1), asks(1, 700), {}]).then((a) => placedOf(a).length),
    );
    const alone = [0, 1].map((i) => () => site.ask(5, asks(1, 600), `alone-${site.id}-${i}`).then(() => 1));
    const counts = await placedCounts([...gangs, ...alone]);
    const whole = counts.slice(0, 3).filter((count) => count > 0);
    expect(whole).toEqual(whole.map(() => 3));
    const devices = (await Promise.all(ids.map(used))).flatMap((bank) => bank ?? []);
    const given = counts.slice(3).filter((count) => count > 0).length;
    expect(devices.reduce((all, milli) => all + milli, 0)).toBe(1_700 * whole.length + 600 * given);
    expect(Math.max(...devices)).toBeLessThanOrEqual(1_000);
    expect(2 * whole.length + given).toBeGreaterThanOrEqual(3);
    await expectFoldAgrees();
  });

  test('without either sets and asks nothing of them, also beside them', async () => {
    const site = await newSite(rig, { resources: 0 });
    const id = await withDevices(site, 1);
    await site.place(5, asks(1, 400));
    await gang(site, 'plain', [{}, {}]);
    expect(await used(id)).toEqual([400]);
    await site.expectAuditWhole();
  });
});

describe('pre-emption', () => {
  test('frees a device: the victim gives it back, waits, and gets one again', async () => {
    const site = await newSite(rig, { resources: 0 });
    const id = await withDevices(site, 2);
    const guarded = await site.place(5, { ...asks(1), class: 'low', protected: true });
    const victim = await site.place(5, { ...asks(1), class: 'low' });
    expect((await refusalOf(site.ask(5, asks(1)))).code).toBe('no-capacity');
    const taker = await site.place(5, { ...urgent, ...asks(1, 600) });
    expect([taker.status, taker.deviceIndexes]).toEqual(['placed', victim.deviceIndexes]);
    expect(await used(id)).toEqual([1_000, 600]);
    const waiting = await site.allocation(victim.id);
    expect([waiting.status, waiting.deviceIndexes]).toEqual(['pending', undefined]);
    expect((await site.allocation(guarded.id)).status).toBe('placed');
    // It runs on the victim's device: not before that has stopped.
    const orders = await rig.admin.call('getAssignments', { params: { resource: id } });
    expect(JSON.stringify(orders)).toContain(taker.id);
    await expectFoldAgrees();
    await site.release(taker.id);
    await rig.invoke('sweep', {});
    expect((await site.allocation(victim.id)).deviceIndexes).toEqual(victim.deviceIndexes);
    expect(await used(id)).toEqual([1_000, 1_000]);
    await site.expectNothingLost([guarded, victim]);
    await expectFoldAgrees();
  });

  test('frees a hard spread key', async () => {
    const site = await newSite(rig);
    const victim = await site.place(5, { ...hard('web'), class: 'low' });
    const other = await site.place(5, { class: 'low' });
    const taker = await site.place(5, { ...urgent, ...hard('web') });
    const [was, stays] = [await site.allocation(victim.id), await site.allocation(other.id)];
    expect([taker.status, was.status, stays.status]).toEqual(['placed', 'pending', 'placed']);
    expect((await refusalOf(site.ask(5, hard('web')))).code).toBe('no-capacity');
    await site.release(taker.id);
    await rig.invoke('sweep', {});
    expect((await site.allocation(victim.id)).status).toBe('placed');
    expect((await refusalOf(site.ask(5, hard('web')))).code).toBe('no-capacity');
    await expectFoldAgrees();
  });

  test('is explained with devices and keys as it would be done', async () => {
    const site = await newSite(rig, { resources: 0 });
    const id = await withDevices(site, 1);
    await site.place(5, { ...asks(1), class: 'normal' });
    const constraints = { labscapes: [site.labscape], labels: site.labels };
    const body = {
      tenant: site.tenant,
      demand: vector({ processing: 5 }),
      class: 'low',
      constraints,
    } as const;
    const told = await rig.admin.call('explainAllocation', { body: { ...body, ...asks(1) } });
    expect(told.preemption).toEqual({
      ...{ class: 'high', resource: id, labscape: site.labscape },
      ...{ groups: 1, allocations: 1 },
    });
    expect(told.changes.map(({ drop }) => drop)).toEqual([['devices']]);
  });
});

describe('what waits', () => {
  test('for devices is homed when they are given back', async () => {
    const site = await newSite(rig, { resources: 0 });
    const id = await withDevices(site, 2);
    const [first, second] = [await site.place(5, asks(1)), await site.place(5, asks(1))];
    const { body: pair } = await site.ask(5, { ...asks(2, 500), onFull: 'wait' });
    const { body: plain } = await site.ask(5, { ...asks(1, 300), onFull: 'wait' });
    expect([pair.status, plain.status]).toEqual(['pending', 'pending']);
    await site.release(first.id);
    expect([(await site.allocation(pair.id)).status, (await site.allocation(plain.id)).status]).toEqual([
      'pending',
      'placed',
    ]);
    await site.release(second.id);
    expect((await site.allocation(pair.id)).deviceIndexes).toHaveLength(2);
    expect(await used(id)).toEqual([800, 500]);
    await expectFoldAgrees();
  });
});
