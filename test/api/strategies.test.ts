import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { STRATEGY_NAMES, type StrategyName } from '../../lib/schemas/strategy.ts';
import { within } from '../../lib/vector.ts';
import { type Rig, refusalOf, startRig, vector } from './rig.ts';
import { newSite, type Site } from './site.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());

const explain = (site: Site, processing: number, wish: { strategy?: StrategyName; hashKey?: string } = {}) =>
  rig.admin.call('explainAllocation', {
    body: {
      ...{ tenant: site.tenant, demand: vector({ processing }), ...wish },
      constraints: { labscapes: [site.labscape], labels: site.labels },
    },
  });

describe.each(STRATEGY_NAMES)('%s', (strategy) => {
  test('places inside fill and keeps soft and hard constraints', async () => {
    const site = await newSite(rig, { shared: true, resources: 3 });
    const hard = { strategy, constraints: { spread: { key: 'hard', hard: true } } };
    const apart = [await site.place(20, hard), await site.place(20, hard), await site.place(20, hard)];
    expect(new Set(apart.map(({ resource }) => resource)).size).toBe(3);
    const refusal = await refusalOf(site.ask(20, hard));
    expect(refusal.reasons['resources']).toMatchObject({ 'spread-taken': 3 });
    const soft = { strategy, constraints: { spread: { key: 'soft', hard: false } } };
    const wished = await site.fill(4, 30, soft);
    // Each resource has one before any has two.
    expect(new Set(wished.slice(0, 3).map(({ resource }) => resource)).size).toBe(3);
    const labelled = await site.register(undefined, { disk: 'ssd' });
    const kept = await site.fill(3, 30, { strategy, constraints: { labels: { disk: 'ssd' } } });
    expect(kept.map(({ resource }) => resource)).toEqual([labelled, labelled, labelled]);
    const all = await site.all();
    for (const { used, fill } of all) expect(within(used, fill)).toBe(true);
    await site.expectNothingLost([...apart, ...wished, ...kept]);
  });

  test('is what explain says it is, and explaining takes no turn', async () => {
    const site = await newSite(rig, { shared: true, resources: 3 });
    await site.place(30);
    const wish = { strategy, hashKey: `key-of-${strategy}` };
    const told = await explain(site, 40, wish);
    expect([told.outcome, told.strategy]).toEqual(['fits', strategy]);
    // Chance is no promise; all others are asked twice and then do it.
    if (strategy === 'power-of-two') return;
    expect((await explain(site, 40, wish)).choice?.resource).toBe(told.choice?.resource);
    expect((await site.place(40, wish)).resource).toBe(told.choice?.resource);
  });
});

describe('the choice of a strategy', () => {
  test('is the request’s, else what all admitted labscapes say, else least-loaded', async () => {
    const one = await newSite(rig, { policy: { strategy: 'best-fit' } });
    const same = await newSite(rig, { policy: { strategy: 'best-fit' } });
    const other = await newSite(rig, { policy: { strategy: 'spread' } });
    const silent = await newSite(rig);
    const told = async (labscapes: string[], strategy?: StrategyName) =>
      (
        await rig.admin.call('explainAllocation', {
          body: {
            ...{ tenant: one.tenant, demand: vector({ processing: 1 }), constraints: { labscapes } },
            ...(strategy === undefined ? {} : { strategy }),
          },
        })
      ).strategy;
    expect(await told([one.id])).toBe('best-fit');
    expect(await told([one.id], 'round-robin')).toBe('round-robin');
    expect(await told([one.id, same.id])).toBe('best-fit');
    expect(await told([one.id, other.id])).toBe('least-loaded');
    expect(await told([one.id, silent.id])).toBe('least-loaded');
    await rig.admin.call('editLabscape', {
      params: { labscape: silent.id },
      body: { policy: { strategy: 'best-fit' } },
      headers: { 'if-match': '"1"' },
    });
    expect(await told([one.id, silent.id])).toBe('best-fit');
  });

  test('decides where work goes: round-robin takes turns, best-fit fills up', async () => {
    const site = await newSite(rig, { resources: 3 });
    const [first = ''] = site.resources;
    await site.place(60, { constraints: { notLabscapes: ['nowhere'] } });
    const turns = await site.fill(3, 50, { strategy: 'round-robin' });
    expect(new Set(turns.map(({ resource }) => resource)).size).toBe(3);
    const filled = await site.fill(3, 50, { strategy: 'best-fit' });
    expect(filled.map(({ resource }) => resource)).toEqual([first, first, first]);
  });

  test('by consistent hashing keeps a key together, in batches too', async () => {
    const site = await newSite(rig, { resources: 5 });
    // On an empty fleet the first placement alone is over the bound.
    await site.fill(5, 100);
    const wish = { strategy: 'consistent-hashing', hashKey: 'session-7' } as const;
    const alone = await site.place(1, wish);
    const body = {
      tenant: site.tenant,
      mode: 'gang' as const,
      items: [1, 1].map((processing) => ({
        ...{ demand: vector({ processing }), constraints: { labscapes: [site.labscape] }, ...wish },
      })),
    };
    const headers = { 'idempotency-key': `gang-${site.id}` };
    const gang = await rig.admin.call('allocateBatch', { headers, body });
    expect(gang.items.map(({ allocation }) => allocation?.resource)).toEqual([
      alone.resource,
      alone.resource,
    ]);
  });

  test('is part of what a key stands for', async () => {
    const site = await newSite(rig, { shared: true });
    await site.ask(1, { strategy: 'spread' }, `once-${site.id}`);
    const again = await site.ask(1, { strategy: 'spread' }, `once-${site.id}`);
    expect(again.status).toBe(200);
    const refusal = await refusalOf(site.ask(1, { strategy: 'best-fit' }, `once-${site.id}`));
    expect(refusal.code).toBe('idempotency-mismatch');
    expect((await refusalOf(site.ask(1, {}, `once-${site.id}`))).code).toBe('idempotency-mismatch');
  });

  test('is refused by its field when it is none', async () => {
    const site = await newSite(rig, { shared: true });
    const strategy = 'fullest-moon' as StrategyName;
    const refusal = await refusalOf(site.ask(1, { strategy }));
    expect([refusal.status, refusal.code]).toEqual([400, 'invalid-input']);
    expect(refusal.errors.map(({ field }) => field)).toEqual(['strategy']);
    const policy = await refusalOf(
      rig.admin.call('joinLabscape', { body: { id: 'moon', policy: { strategy } } }),
    );
    expect(policy.errors.map(({ field }) => field)).toEqual(['policy.strategy']);
    expect((await refusalOf(site.ask(1, { hashKey: '' }))).errors[0]?.field).toBe('hashKey');
  });

  test('weighs a labscape’s resources as the labscape says', async () => {
    const [light, heavy] = [await newSite(rig), await newSite(rig)];
    await rig.admin.call('editLabscape', {
      params: { labscape: heavy.id },
      body: { weight: 300 },
      headers: { 'if-match': '"1"' },
    });
    const constraints = { labscapes: [light.id, heavy.id] };
    // Until the picture of the labscapes is as young as the edit.
    await explain(light, 1);
    const placed = await light.fill(8, 1, { strategy: 'weighted-round-robin', constraints });
    const onHeavy = placed.filter(({ labscape }) => labscape === heavy.id);
    expect(onHeavy).toHaveLength(6);
  });
});

describe('what waits', () => {
  /** Three resources with that much in use, which nothing pre-empts. */
  const siteOf = async (used: readonly number[]) => {
    const site = await newSite(rig, { resources: 0 });
    for (const [i, processing] of used.entries()) {
      const labels = { n: String(i + 1) };
      await site.register(undefined, labels);
      await site.place(processing, { constraints: { labels }, protected: true });
    }
    return site;
  };

  /** Room comes to all resources at once, and nothing is told of it before the sweep. */
  const sweepWithRoom = async (site: Site) => {
    await rig.admin.call('editLabscape', {
      ...{ params: { labscape: site.labscape }, body: { policy: { fill: 'none' } } },
      headers: { 'if-match': '*' },
    });
    await rig.invoke('sweep', {});
  };

  test.each([
    ['that of its request', 'best-fit', 0],
    ['the least loaded one, unless it asked for another', undefined, 1],
  ] as const)('is placed by %s', async (_, strategy, home) => {
    const site = await siteOf([700, 680, 690]);
    const { body } = await site.ask(90, { onFull: 'wait', ...(strategy && { strategy }) });
    expect(body.status).toBe('pending');
    await sweepWithRoom(site);
    expect((await site.allocation(body.id)).resource).toBe(site.resources[home]);
    await site.expectAuditWhole();
  });

  test('because it was pre-empted keeps its strategy, too', async () => {
    const site = await siteOf([610, 680, 690]);
    const victim = await site.place(90, { class: 'low', strategy: 'best-fit' });
    expect(victim.resource).toBe(site.resources[0]);
    await site.place(105, { class: 'critical', preempt: true, constraints: { labels: { n: '1' } } });
    expect((await site.allocation(victim.id)).status).toBe('pending');
    await sweepWithRoom(site);
    // 85 are left on the first, 120 on the second.
    expect((await site.allocation(victim.id)).resource).toBe(site.resources[2]);
  });
});
