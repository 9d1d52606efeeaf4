import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { expectFoldAgrees } from './fold-facts.ts';
import { type Rig, startRig, until } from './rig.ts';
import { ScriptedAgent } from './scripted-agent.ts';
import { newSite } from './site.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());

describe('a second failure in the middle of a recovery', () => {
  test('of the target before the flip sends the work elsewhere', async () => {
    // Only the first host was ever heard, and so holds a lease that is waited for.
    const site = await newSite(rig);
    const [first = ''] = site.resources;
    const placed = await site.fill(4, 40);
    const [second, third] = [await site.register(), await site.register()];
    placed.push(...(await site.fill(2, 100)));
    const agent = new ScriptedAgent(rig, site, first);
    await agent.beat();
    const quote = await rig.admin.call('quote', { body: { resources: [first] } });
    const [target = ''] = [...new Set(quote.moves.map(({ to }) => to))];
    const other = target === second ? third : second;
    const { recovery } = await site.fail(first);
    await site.recovery(recovery, ({ waiting }) => waiting?.phase === 'AwaitFence');
    const { recovery: next } = await site.fail(target);
    await site.recovery(next, ({ phases }) => phases.some(({ name }) => name === 'Failover'));
    await agent.report({ fenced: true }, 2);
    const report = await site.recovery(recovery, ({ moves }) => moves.length > 0);
    expect(new Set(report.moves.map(({ to }) => to))).toEqual(new Set([other]));
    const ended = await Promise.all([site.ended(recovery), site.ended(next)]);
    expect(ended.map(({ status }) => status)).toEqual(['done', 'done']);
    for (const { resource, status } of await Promise.all(placed.map(({ id }) => site.allocation(id))))
      expect([resource, status]).toEqual([other, 'placed']);
    await site.expectNothingLost(placed);
    await site.expectAuditWhole([recovery, next]);
    await expectFoldAgrees(rig);
  });

  test('of the target while its word is waited for moves the work on, and both recoveries end', async () => {
    const site = await newSite(rig, {
      policy: { fencing: 'immediate', restoreWaitMs: 600_000, resumeWaitMs: 600_000 },
    });
    const [first = ''] = site.resources;
    const placed = await site.fill(4, 40);
    const second = await site.register();
    const target = new ScriptedAgent(rig, site, second);
    await target.beat();
    const { recovery } = await site.fail(first);
    await site.recovery(recovery, ({ nextPhase }) => nextPhase === 'RecoverData');
    await site.answerRestore(first, recovery, 'refused');
    await site.recovery(recovery, ({ waiting }) => waiting?.phase === 'ResumeService');
    const last = await site.register();
    const third = new ScriptedAgent(rig, site, last);
    await third.beat();
    const { recovery: next } = await site.fail(second);
    await site.recovery(next, ({ nextPhase }) => nextPhase === 'RecoverData');
    await site.answerRestore(second, next, 'refused');
    await site.recovery(next, ({ waiting }) => waiting?.phase === 'ResumeService');
    // What the first recovery moved is no longer its own: it waits for nothing any more.
    const report = await site.ended(recovery);
    expect(report.status).toBe('done');
    await until('the second is told', async () => {
      await third.runAll();
      const at = await site.recovery(next, () => true);
      return at.endedAt === undefined ? undefined : true;
    });
    expect((await site.ended(next)).status).toBe('done');
    for (const { id } of placed)
      expect(await site.allocation(id)).toMatchObject({ status: 'placed', resource: last, running: true });
    await site.expectNothingLost(placed);
    await site.expectAuditWhole([recovery, next]);
    await expectFoldAgrees(rig);
  });
});
