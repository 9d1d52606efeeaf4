import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Allocation } from '../../lib/schemas/allocation.ts';
import { GOALS, type RebalanceAnswer } from '../../lib/schemas/rebalance.ts';
import { within } from '../../lib/vector.ts';
import { expectFoldAgrees } from './fold-facts.ts';
import { collect, type Rig, refusalOf, startRig } from './rig.ts';
import { ScriptedAgent } from './scripted-agent.ts';
import { CAPACITY, FILL, newSite, type Site, type SiteOptions } from './site.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());

const BELIEVED_EMPTY_MS = 1_100;

type Body = Parameters<typeof ask>[1];

const ask = (
  site: Site,
  body: { goal?: RebalanceAnswer['goal']; dryRun?: boolean; movesMax?: number } = {},
) => rig.admin.call('rebalance', { body: { goal: 'lower-maximum', labscapes: [site.labscape], ...body } });

const apply = (site: Site, body: Body = {}) => ask(site, { ...body, dryRun: false });

/** Work on the first resource, and then empty ones beside it. */
async function lopsided(
  count: number,
  demand: number,
  besides: number,
  policy: NonNullable<SiteOptions['policy']>['rebalance'] = {},
): Promise<{ site: Site; placed: Allocation[] }> {
  const site = await newSite(rig, { policy: { rebalance: policy } });
  const placed = await site.fill(count, demand);
  for (let i = 0; i < besides; i += 1) await site.register();
  return { site, placed };
}

const outcomes = ({ moves }: RebalanceAnswer) => moves.map(({ outcome }) => outcome);
const movedOf = (answer: RebalanceAnswer) => outcomes(answer).filter((one) => one === 'moved').length;

async function expectSound(site: Site, placed: readonly Allocation[]): Promise<void> {
  await site.expectNothingLost(placed);
  await site.expectAuditWhole();
  for (const { used, fill } of await site.all()) expect(within(used, fill)).toBe(true);
  await expectFoldAgrees(rig);
}

describe('rebalancing', () => {
  test('as a dry run says what it would do and changes nothing', async () => {
    const { site } = await lopsided(6, 100, 1);
    const before = await rig.state();
    const answer = await ask(site);
    expect(answer).toMatchObject({ dryRun: true, stopped: 'nothing-gains', better: 'lower' });
    expect(outcomes(answer)).toEqual(['planned', 'planned', 'planned']);
    expect(answer.before).toBeCloseTo(600 / FILL);
    expect(answer.after).toBeCloseTo(300 / FILL);
    expect(answer.gain).toBeGreaterThan(answer.cost);
    expect(await rig.state()).toEqual(before);
    expect((await ask(site)).moves).toEqual(answer.moves);
  });

  test('moves as planned, and the assignments of the agents follow', async () => {
    const { site, placed } = await lopsided(6, 100, 1);
    const planned = await ask(site);
    const done = await apply(site);
    expect(done.moves.map(({ group, to }) => [group, to])).toEqual(
      planned.moves.map(({ group, to }) => [group, to]),
    );
    expect(outcomes(done)).toEqual(['moved', 'moved', 'moved']);
    expect(done.after).toBeCloseTo(300 / FILL);
    const [first = '', second = ''] = site.resources;
    for (const [resource, starting] of [
      [first, false],
      [second, true],
    ] as const) {
      const orders = await new ScriptedAgent(rig, site, resource).assignments();
      expect(orders?.items).toHaveLength(3);
      // The owner before may run it until its lease has run out.
      for (const { startInMs } of orders?.items ?? []) expect(startInMs > 0).toBe(starting);
    }
    const events = await collect(
      rig.admin.pages('listEvents', { query: { entity: `resource#${first}`, limit: 500 } }),
    );
    for (const { event, group } of done.moves) {
      const told = events.find(({ rev }) => rev === event?.rev);
      expect(told).toMatchObject({ type: 'resource.flipped', body: { rebalance: 'lower-maximum' } });
      expect(JSON.stringify(told?.body)).toContain(group);
    }
    await expectSound(site, placed);
    expect((await apply(site)).moves).toEqual([]);
  });

  test('leaves what was just moved alone until its owner before has stopped it', async () => {
    const { site } = await lopsided(6, 100, 1);
    expect(movedOf(await apply(site))).toBe(3);
    expect((await ask(site)).leftAlone).toEqual({ held: 3 });
  });

  test('empties hosts towards that goal', async () => {
    const site = await newSite(rig, { resources: 2 });
    const placed = await site.fill(4, 100);
    expect((await site.all()).map(({ used }) => used.processing)).toEqual([200, 200]);
    const answer = await apply(site, { goal: 'emptied-hosts' });
    expect([answer.before, answer.after]).toEqual([0, 1]);
    expect((await site.all()).map(({ used }) => used.processing).sort()).toEqual([0, 400]);
    await expectSound(site, placed);
  });

  test('makes no more moves in a window than the labscape allows, whoever asks at once', async () => {
    const { site, placed } = await lopsided(12, 50, 3, { movesPerWindow: 5 });
    expect((await ask(site)).moves).toHaveLength(5);
    const answers = await Promise.all(Array.from({ length: 4 }, () => apply(site)));
    const moved = answers.reduce((sum, answer) => sum + movedOf(answer), 0);
    expect(moved).toBe(5);
    const after = await apply(site);
    expect(after).toMatchObject({ moves: [], stopped: 'window' });
    expect(after.labscapes).toMatchObject([{ movesInWindow: 5, movesPerWindow: 5 }]);
    for (const move of answers.flatMap(({ moves }) => moves))
      if (move.outcome === 'skipped') expect(['lost-race', 'window']).toContain(move.reason);
    await expectSound(site, placed);
  });

  test('breaks no constraint: apart by a hard rule, devices, labels, what is protected', async () => {
    const site = await newSite(rig);
    const bank = { model: 'a100', count: 1 };
    const body = {
      ...{ labscape: site.labscape, labels: { ...site.labels, gpu: 'yes' } },
      capacity: { processing: CAPACITY, memory: CAPACITY, storage: CAPACITY, network: CAPACITY },
    };
    await rig.admin.call('registerResource', { body: { ...body, id: `${site.id}-g1`, devices: bank } });
    site.resources.push(`${site.id}-g1`);
    const one = { count: 1, milli: 1_000 };
    const gpu = await site.place(100, { devices: one });
    const spread = { key: 'web', hard: true };
    const twins = [
      await site.place(100, { constraints: { spread } }),
      await site.place(100, { constraints: { spread } }),
    ];
    const guarded = await site.place(300, { class: 'low', protected: true });
    const labelled = await site.place(200, { constraints: { labels: { gpu: 'yes' } } });
    await site.register();
    await rig.admin.call('registerResource', { body: { ...body, id: `${site.id}-g2`, devices: bank } });
    site.resources.push(`${site.id}-g2`);
    let moved = 0;
    for (const goal of GOALS) {
      const answer = await apply(site, { goal });
      expect(answer.moves.filter(({ outcome }) => outcome === 'skipped')).toEqual([]);
      moved += movedOf(answer);
    }
    expect(moved).toBeGreaterThan(0);
    const now = (allocation: Allocation) => site.allocation(allocation.id);
    const homes = await Promise.all(twins.map(now));
    expect(new Set(homes.map(({ resource }) => resource)).size).toBe(2);
    expect((await now(gpu)).resource).toMatch(/-g[12]$/);
    expect((await now(labelled)).resource).toMatch(/-g[12]$/);
    expect((await now(guarded)).resource).toBe(guarded.resource);
    await expectSound(site, [gpu, ...twins, guarded, labelled]);
  });

  test('frees room for what waits', async () => {
    const site = await newSite(rig);
    const home = await site.register(undefined, { disk: 'fast' });
    const placed = await site.fill(14, 100);
    const wish = { constraints: { labels: { disk: 'fast' } }, onFull: 'wait' } as const;
    const waiting = await site.place(200, wish);
    expect(waiting.status).toBe('pending');
    await site.register();
    // So long a function may believe that nothing waits.
    await sleep(BELIEVED_EMPTY_MS);
    expect(movedOf(await apply(site))).toBeGreaterThan(1);
    expect(await site.allocation(waiting.id)).toMatchObject({ status: 'placed', resource: home });
    await expectSound(site, [...placed, waiting]);
  });

  test('leaves labscapes alone whose policy says so', async () => {
    const { site } = await lopsided(6, 100, 1, { mode: 'off' });
    expect(await apply(site)).toMatchObject({ moves: [], labscapes: [{ mode: 'off' }] });
    const call = rig.admin.call('rebalance', { body: { goal: 'lower-maximum', labscapes: ['nowhere'] } });
    expect((await refusalOf(call)).code).toBe('not-found');
  });

  test('by the sweep is a bounded step where the labscape asks for it, and only while it is calm', async () => {
    const { site, placed } = await lopsided(12, 50, 3);
    const edit = async (body: object) =>
      rig.admin.call('editLabscape', {
        ...{ params: { labscape: site.labscape }, headers: { 'if-match': '*' }, body },
      });
    const swept = async () => {
      // Policies may be a second old to the sweep.
      await sleep(BELIEVED_EMPTY_MS);
      // Somebody must be heard, or the sweep believes itself blind.
      await site.beat(site.resources[0] ?? '');
      const { rebalanced } = (await rig.invoke('sweep', {})) as { rebalanced: number };
      return rebalanced;
    };
    expect(await swept()).toBe(0);
    const rebalance = { mode: 'automatic' };
    await edit({ maintenance: true, policy: { rebalance } });
    expect(await swept()).toBe(0);
    await edit({ maintenance: false, policy: { mode: 'observe' } });
    expect(await swept()).toBe(0);
    await edit({ policy: { mode: 'automatic', coolDownMs: 600_000 } });
    expect(await swept()).toBe(0);
    await edit({ policy: { coolDownMs: 0 } });
    expect(await swept()).toBe(4);
    await expectSound(site, placed);
  });
});
