import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ApiProblem } from '../../lib/client/api-error.ts';
import type { Recovery } from '../../lib/schemas/recovery.ts';
import { leaveToken } from '../../lib/services/recovery/waits.ts';
import type { Runtime } from '../../lib/services/runtime.ts';
import { Store } from '../../lib/store/store.ts';
import { type Rig, refusalOf, startRig, until } from './rig.ts';
import { newSite, type Site } from './site.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());

/** The use cases on the host's own tables, with a machine that only says what it was told. */
function runtimeOn({ host }: Rig, heard: string[][]): Pick<Runtime, 'store' | 'executions'> {
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
  const client = new DynamoDBClient({ endpoint: host.engine.url, region: 'us-east-1', credentials });
  const named = (part: string) => host.template.tables.find(({ name }) => name.includes(part))?.name ?? '';
  const store = new Store(client, { state: named('-State'), audit: named('-Audit') });
  const told = (...words: string[]) => Promise.resolve(heard.push(words)).then(() => 'done' as const);
  return {
    store,
    executions: {
      start: ({ resource }) => told('start', resource).then(() => 'started' as const),
      succeed: (token) => told('succeed', token),
      fail: (token, error) => told('fail', token, error),
    },
  };
}

/** Not begun, or changing right now: the caller tries again. */
function notYet(error: unknown): undefined {
  if (error instanceof ApiProblem && [404, 503].includes(error.status)) return undefined;
  throw error;
}

/** What an approval names. */
const quoteOf = ({ waiting }: Recovery) =>
  waiting?.quote === undefined ? {} : { quote: waiting.quote.hash };

const decisionOf = (report: Recovery) => report.phases.find((phase) => phase.name === 'Decide')?.detail;

describe('the rules', () => {
  /** The agent's own word that its resource has failed. */
  const failByWord = async (site: Site, resource: string) => {
    await site.beat(resource);
    await site.beat(resource, { status: 'failed' });
  };
  const immediate = { fencing: 'immediate' } as const;

  test('a labscape that observes is told what would have been done, and keeps its work', async () => {
    const site = await newSite(rig, { resources: 2, policy: { mode: 'observe' } });
    const [first = ''] = site.resources;
    const placed = await site.fill(4, 40);
    await failByWord(site, first);
    const report = await site.ended(`${first}-1-1`);
    expect(report).toMatchObject({ status: 'refused', trigger: 'detector', moves: [] });
    expect(report.reason).toContain('mode-observe: the labscape only observes: I would have moved 2 groups');
    expect(decisionOf(report)).toMatchObject({ kind: 'refuse', rule: 'mode-observe' });
    const resource = await site.resource(first);
    expect([resource.status, resource.groups, resource.recovery]).toEqual(['failed', 2, undefined]);
    await site.expectNothingLost(placed);
    // Its word to the contrary takes the verdict back.
    await site.beat(first);
    expect((await site.resource(first)).status).toBe('healthy');
    await site.expectAuditWhole([report.id]);
  });

  test("a labscape that is switched off says so to people, and makes nothing of its agent's word", async () => {
    const site = await newSite(rig, { resources: 2, policy: { mode: 'off' } });
    const [first = ''] = site.resources;
    await site.fill(4, 40);
    const state = async () => {
      const lines = (await rig.state()).filter((line) => line.includes(`"${site.id}`));
      return lines.map((line) => line.replace(/,"lastBeatAt":\d+/, ''));
    };
    const before = await state();
    expect(before.length).toBe(3);
    await failByWord(site, first);
    const body = { reason: 'test' };
    const asked = [
      site.fail(first),
      site.drain(first),
      rig.admin.call('failTogether', { params: { labscape: site.labscape }, body }),
    ];
    for (const call of asked) {
      const refusal = await refusalOf(call);
      expect([refusal.status, refusal.code]).toEqual([409, 'not-in-this-state']);
      expect(refusal.message).toContain('is switched off, nothing recovers there');
    }
    expect(await state()).toEqual(before);
  });

  test('maintenance refuses, and keeps the work', async () => {
    const site = await newSite(rig, { resources: 2, policy: immediate });
    const [first = ''] = site.resources;
    await rig.admin.call('editLabscape', {
      ...{ params: { labscape: site.id }, headers: { 'if-match': '*' } },
      body: { maintenance: true },
    });
    const placed = await site.fill(2, 40);
    await failByWord(site, first);
    const report = await site.ended(`${first}-1-1`);
    expect(report.status).toBe('refused');
    expect(decisionOf(report)).toMatchObject({ kind: 'refuse', rule: 'maintenance' });
    await site.expectNothingLost(placed);
  });

  test('cool-down refuses a second recovery that no person asks for', async () => {
    const site = await newSite(rig, { resources: 2, policy: { ...immediate, coolDownMs: 3_600_000 } });
    const [first = ''] = site.resources;
    await site.failAndRestore(first);
    await site.activate(first);
    await failByWord(site, first);
    const report = await site.ended(`${first}-2-2`);
    expect(decisionOf(report)).toMatchObject({ kind: 'refuse', rule: 'cool-down' });
    expect((await site.failAndRestore(first)).status).toBe('done');
  });

  test('a labscape that asks waits for the word of a person, and then goes on', async () => {
    const site = await newSite(rig, { resources: 2, policy: { ...immediate, mode: 'ask' } });
    const [first = ''] = site.resources;
    const placed = await site.fill(4, 40);
    await failByWord(site, first);
    const asked = await site.recovery(`${first}-1-1`, ({ status }) => status === 'awaiting-approval');
    expect(asked).toMatchObject({ moves: [], nextPhase: 'Initiate' });
    expect(await site.resource(first)).toMatchObject({ status: 'failed', epoch: 1, recovery: asked.id });
    expect((await refusalOf(site.fail(first))).code).toBe('not-in-this-state');
    const say = (decision: 'approve' | 'reject') =>
      rig.admin.call('approveRecovery', {
        params: { recovery: asked.id },
        body: { decision, reason: 'test', ...quoteOf(asked) },
      });
    await say('approve');
    expect((await refusalOf(say('reject'))).code).toBe('not-in-this-state');
    await site.recovery(asked.id, (at) => at.nextPhase === 'RecoverData');
    await site.answerRestore(first, asked.id, 'restored');
    const report = await site.ended(asked.id);
    expect(report).toMatchObject({ status: 'done', rehomedShare: 1 });
    await site.expectNothingLost(placed);
    await site.expectAuditWhole([asked.id]);
  });

  test('a rejection ends it, however early it comes, and releases the lock', async () => {
    const site = await newSite(rig, { resources: 2, policy: { ...immediate, mode: 'ask' } });
    const [first = ''] = site.resources;
    const placed = await site.fill(4, 40);
    await failByWord(site, first);
    const recovery = `${first}-1-1`;
    const body = { decision: 'reject', reason: 'test' } as const;
    // As soon as there is something to reject.
    const reject = () =>
      rig.admin
        .call('approveRecovery', { params: { recovery }, body })
        .catch((error: unknown) => notYet(error));
    await until('the rejection is taken', reject, 0);
    const report = await site.ended(recovery);
    expect(report).toMatchObject({ status: 'refused', moves: [] });
    const resource = await site.resource(first);
    expect([resource.status, resource.epoch, resource.recovery]).toEqual(['failed', 1, undefined]);
    await site.expectNothingLost(placed);
    expect((await site.activate(first)).status).toBe('healthy');
    await site.expectAuditWhole([recovery]);
  });

  test('a rejection that is there before the machine waits fails the wait', async () => {
    const site = await newSite(rig, { resources: 2, policy: { ...immediate, mode: 'observe' } });
    const [resource = ''] = site.resources;
    await failByWord(site, resource);
    await site.ended(`${resource}-1-1`);
    await rig.admin.call('editLabscape', {
      ...{ params: { labscape: site.labscape }, headers: { 'if-match': '*' } },
      body: { policy: { mode: 'ask' } },
    });
    // By hand, so that no machine waits for the answer yet.
    const input = { resource, epoch: 1, attempt: 2, trigger: 'reconciler' };
    const answer = await rig.invoke('recovery', { phase: 'Decide', input, last: {} });
    expect(answer).toMatchObject({ proceed: 'AwaitApproval' });
    const recovery = `${resource}-1-2`;
    const body = { decision: 'reject', reason: 'test' } as const;
    await rig.admin.call('approveRecovery', { params: { recovery }, body });
    const heard: string[][] = [];
    await leaveToken(runtimeOn(rig, heard), recovery, 'AwaitApproval', 'token');
    expect(heard).toEqual([['fail', 'token', 'Rejected']]);
  });

  test('the second of four that fails trips the breaker: a person decides', async () => {
    const site = await newSite(rig, { resources: 4, policy: { ...immediate, restoreWaitMs: 600_000 } });
    const [first = '', second = ''] = site.resources;
    const placed = await site.fill(8, 40);
    await failByWord(site, first);
    await site.recovery(`${first}-1-1`, (at) => at.nextPhase === 'RecoverData');
    await failByWord(site, second);
    const asked = await site.recovery(`${second}-1-1`, ({ status }) => status === 'awaiting-approval');
    expect(decisionOf(asked)).toMatchObject({ kind: 'ask', rule: 'breaker' });
    expect(asked.reason).toContain('2 of 4 resources are down at once');
    expect(await site.resource(second)).toMatchObject({ status: 'failed', epoch: 1 });
    await rig.admin.call('approveRecovery', {
      ...{ params: { recovery: asked.id }, body: { decision: 'approve', reason: 'test', ...quoteOf(asked) } },
    });
    for (const resource of [first, second]) {
      await site.recovery(`${resource}-1-1`, (at) => at.nextPhase === 'RecoverData');
      await site.answerRestore(resource, `${resource}-1-1`, 'restored');
      expect((await site.ended(`${resource}-1-1`)).status).toBe('done');
    }
    await site.expectNothingLost(placed);
  });

  test('a person may override them, for it is a person who asks', async () => {
    const site = await newSite(rig, { resources: 2, policy: { mode: 'observe' } });
    const [first = ''] = site.resources;
    await site.fill(2, 40);
    expect(await site.failAndRestore(first)).toMatchObject({
      status: 'done',
      trigger: 'api',
      rehomedShare: 1,
    });
  });
});
