import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type * as z from 'zod';
import type { PlanRun, RecoveryPlanInput } from '../../lib/schemas/recovery-plan.ts';
import { expectFoldAgrees } from './fold-facts.ts';
import { advanceRun, beginRun, driveRun, isOver, putPlan, quoteRun, verifiedPlan } from './plan-runs.ts';
import { type Rig, refusalOf, startRig, until } from './rig.ts';
import { newSite, type Site } from './site.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());

const CALM = { fencing: 'immediate', resumeWaitMs: 1_000 } as const;
/** Nobody beats, so nobody is missed; what moved gracefully is held for a lease. */
const SHORT = { ...CALM, beatMs: 500, leaseMs: 1_000 } as const;

const put = (plan: string, steps: z.input<typeof RecoveryPlanInput>['steps']) =>
  putPlan(rig, plan, { steps });
const homesOf = (run: PlanRun) => run.progress.map(({ homes }) => homes);

/** Work of several groups on the first of two hosts, drained to the second. */
const drainedAway = async (groups: number, policy: object) => {
  const site = await newSite(rig, { resources: 1, policy });
  const [home = ''] = site.resources;
  const placed = await site.fill(groups, 40);
  const away = await site.register();
  const report = await site.drained(home);
  expect(report.moves).toHaveLength(groups);
  return { site, home, away, placed, recovery: report.id };
};

const ownersOf = async (site: Site, placed: readonly { readonly id: string }[]) =>
  new Set((await Promise.all(placed.map(({ id }) => site.allocation(id)))).map(({ resource }) => resource));

describe('a failback', () => {
  test('brings home what a drain of the same plan moved away while it still ran', async () => {
    const site = await newSite(rig, { resources: 2, policy: SHORT });
    const resources = [...site.resources];
    const placed = await site.fill(6, 40);
    const away = await site.register();
    await put('there-and-back', [
      { how: 'drain', resources, graceMs: 5_000 },
      { how: 'activate', resources },
      { how: 'failback', labscapes: [site.labscape] },
    ]);
    const quote = await quoteRun(rig, 'there-and-back');
    expect(quote.steps.map((step) => [step.how, step.resources, step.quote.allocations])).toEqual([
      ['drain', resources, placed.length],
      ['activate', resources, 0],
      ['failback', resources, 0],
    ]);
    const run = await beginRun(rig, 'there-and-back', quote.hash);
    const over = await driveRun(rig, run, isOver);
    expect([over.status, over.progress.map(({ outcome }) => outcome)]).toEqual([
      'done',
      ['done', 'done', 'done'],
    ]);
    const recoveries = over.progress[0]?.recoveries ?? [];
    const graces = await Promise.all(recoveries.map(async (id) => (await site.ended(id)).grace));
    expect(graces.flatMap((grace) => grace?.moves ?? []).map(({ to }) => to)).toContain(away);
    expect(graces.map((grace) => grace?.left)).toEqual([0, 0]);
    expect(homesOf(over).at(-1)).toEqual(
      resources.map((resource, at) => ({
        ...{ resource, recovery: recoveries[at], home: graces[at]?.moved, stays: 0, left: 0, why: {} },
      })),
    );
    // Each is where it was.
    const after = await Promise.all(placed.map(({ id }) => site.allocation(id)));
    expect(after.map(({ resource }) => resource)).toEqual(placed.map(({ resource }) => resource));
    await site.expectNothingLost(placed);
    await site.expectAuditWhole(recoveries);
    await verifiedPlan(rig, 'there-and-back');
    await expectFoldAgrees(rig);
  });

  test('of an earlier recovery waits for its home, and for room in it, until its time is out; then it asks', async () => {
    const { site, home, away, placed, recovery } = await drainedAway(4, CALM);
    await put('patient', [{ how: 'failback', resources: [home, away], budgetMs: 3_600_000 }]);
    const waiting = await driveRun(rig, await beginRun(rig, 'patient'), ({ progress }) =>
      progress.some(({ homes }) => homes !== undefined),
    );
    expect([waiting.status, waiting.progress[0]?.targets.length]).toEqual(['recovering', 1]);
    expect(homesOf(waiting)).toEqual([
      [{ resource: home, recovery, home: 0, stays: 0, left: 4, why: { 'not-healthy': 4 } }],
    ]);
    const params = { plan: 'patient', run: waiting.id };
    await rig.admin.call('cancelPlanRun', { params, body: { reason: 'takes too long' } });
    expect((await advanceRun(rig, waiting)).status).toBe('cancelled');
    // Nobody looked since: a run that was called off takes nothing home.
    await site.activate(home);
    expect(await ownersOf(site, placed)).toEqual(new Set([away]));

    const block = await site.place(640);
    expect(block.resource).toBe(home);
    await put('brief', [{ how: 'failback', resources: [home], budgetMs: 1_000 }]);
    const asking = await driveRun(rig, await beginRun(rig, 'brief'), ({ status }) => status === 'asking');
    expect(asking.asks).toContain('is incomplete');
    expect(homesOf(asking)).toEqual([
      [{ resource: home, recovery, home: 2, stays: 0, left: 2, why: { 'no-room-processing': 2 } }],
    ]);
    const body = { decision: 'approve', reason: 'good enough' } as const;
    const over = await rig.admin.call('answerPlanRun', { params: { plan: 'brief', run: asking.id }, body });
    expect(over.status).toBe('degraded');
    // With room again it goes on where it stood.
    await site.release(block.id);
    await put('again', [{ how: 'failback', resources: [home] }]);
    const done = await driveRun(rig, await beginRun(rig, 'again'), isOver);
    expect([done.status, homesOf(done)]).toEqual([
      'done',
      [[{ resource: home, recovery, home: 4, stays: 0, left: 0, why: {} }]],
    ]);
    expect(await ownersOf(site, placed)).toEqual(new Set([home]));
    await site.expectNothingLost(placed);
    // Nothing is away any more.
    await put('empty', [{ how: 'failback', resources: [home] }]);
    const empty = await driveRun(rig, await beginRun(rig, 'empty'), isOver);
    expect([empty.status, empty.progress[0]?.targets]).toEqual(['done', []]);
  });

  test('that the sweep drives goes no faster than its labscape lets it, and counts what has no way home', async () => {
    const policy = { ...CALM, rebalance: { movesPerWindow: 2, windowMs: 1_000 } };
    const { site, home, away, placed } = await drainedAway(5, policy);
    const [gone] = placed;
    await site.release(gone?.id ?? '');
    await site.activate(home);
    await put('swept', [{ how: 'failback', labscapes: [site.labscape] }]);
    const { id } = await beginRun(rig, 'swept');
    const over = await until('the sweep has done it', async () => {
      // Somebody must be heard, or the sweep believes itself blind.
      await site.beat(away);
      await rig.invoke('sweep', {});
      const now = await rig.admin.call('getPlanRun', { params: { plan: 'swept', run: id } });
      return isOver(now) ? now : undefined;
    });
    expect(over.status).toBe('done');
    expect(homesOf(over)[0]).toMatchObject([{ home: 4, stays: 1, left: 0, why: { gone: 1 } }]);
    expect(await ownersOf(site, placed.slice(1))).toEqual(new Set([home]));
    await verifiedPlan(rig, 'swept');
  });

  test('has a budget, no grace and no classes', async () => {
    const site = await newSite(rig, { resources: 1 });
    const labscapes = [site.labscape];
    for (const wrong of [
      { labscapes, how: 'drain', budgetMs: 60_000 } as const,
      { labscapes, how: 'failback', classes: ['critical'] } as const,
      { labscapes, how: 'failback', graceMs: 1_000 } as const,
    ])
      expect((await refusalOf(put('wrong', [wrong as never]))).code).toBe('invalid-input');
  });
});
