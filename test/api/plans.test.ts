import { DynamoDBClient, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type * as z from 'zod';
import type { PlanRun, RecoveryPlanInput } from '../../lib/schemas/recovery-plan.ts';
import { keys } from '../../lib/store/keys.ts';
import { beginRun, driveRun, isOver, putPlan, quoteRun, reason, verifiedPlan } from './plan-runs.ts';
import { even, type Rig, refusalOf, startRig, until } from './rig.ts';
import { CAPACITY, FILL, GROUP_CLOSES_AT, newSite, type Site } from './site.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());

const POLICY = { fencing: 'immediate', restoreWaitMs: 1_000 } as const;
const put = (plan: string, body: z.input<typeof RecoveryPlanInput>, version: number | 'any' = 0) =>
  putPlan(rig, plan, body, version);
const begin = (plan: string, quote?: string) => beginRun(rig, plan, quote);
const driven = (run: PlanRun, is: (now: PlanRun) => boolean) => driveRun(rig, run, is);
const verified = (plan: string) => verifiedPlan(rig, plan);

const switchOff = ({ labscape }: Site) =>
  rig.admin.call('editLabscape', {
    ...{ params: { labscape }, headers: { 'if-match': '*' } },
    body: { policy: { mode: 'off' } },
  });

const recoveriesOf = async (site: Site) => {
  const { items } = await rig.admin.call('listRecoveries', { query: { limit: 500 } });
  return items.filter(({ labscape }) => labscape === site.labscape);
};

describe('a recovery plan', () => {
  test('has versions, and names only what is there', async () => {
    const site = await newSite(rig, { resources: 1 });
    const steps = [{ labscapes: [site.labscape] }];
    const first = await put('versions', { steps });
    expect([first.status, first.etag, first.body.cfg]).toEqual([201, '"1"', 1]);
    expect((await refusalOf(put('versions', { steps }))).code).toBe('stale-precondition');
    const second = await put('versions', { name: 'Machine room', steps }, 1);
    expect([second.status, second.body]).toEqual([
      200,
      expect.objectContaining({ cfg: 2, name: 'Machine room' }),
    ]);
    expect((await put('versions', { steps }, 'any')).body.cfg).toBe(3);
    const strange = await refusalOf(
      put('strange', { steps: [{ labscapes: ['nowhere'] }, { resources: ['none'] }] }),
    );
    expect(strange.code).toBe('invalid-input');
    expect(await refusalOf(rig.admin.call('getPlan', { params: { plan: 'strange' } }))).toMatchObject({
      status: 404,
    });
    expect(await verified('versions')).toBe(3);
    const { items } = await rig.admin.call('listPlans');
    expect(items.map(({ id }) => id)).toContain('versions');
  });

  test('tells what it would do, and is refused when it would do something else by now', async () => {
    const site = await newSite(rig, { resources: 2, policy: POLICY });
    const [first = '', second = ''] = site.resources;
    await site.fill(4, 40);
    await put('told', { steps: [{ resources: [first] }, { name: 'rest', labscapes: [site.labscape] }] });
    const before = await rig.state();
    const quote = await quoteRun(rig, 'told');
    expect(quote.steps.map(({ name, resources }) => [name, resources])).toEqual([
      ['step 1', [first]],
      ['rest', [second]],
    ]);
    expect(quote.steps.map((step) => step.quote.pending > 0)).toEqual([false, true]);
    expect(await rig.state()).toEqual(before);
    await site.fill(1, 40);
    expect((await refusalOf(begin('told', quote.hash))).code).toBe('conflict');
    expect(await recoveriesOf(site)).toEqual([]);
  });
});

describe('a run', () => {
  test('fails step after step over, waits between them, and loses nothing', async () => {
    const one = await newSite(rig, { resources: 2, policy: POLICY });
    const two = await newSite(rig, { resources: 1, policy: POLICY });
    const spare = await newSite(rig, { resources: 2, policy: POLICY });
    const homes = { labscapes: [one, two, spare].map(({ labscape }) => labscape) };
    const placed = await one.fill(8, 40, { constraints: homes });
    const [last = ''] = two.resources;
    await put('rooms', { steps: [{ labscapes: [one.labscape] }, { resources: [last], pauseMs: 700 }] });
    const run = await begin('rooms');
    expect(run).toMatchObject({ status: 'recovering', step: 0, cfg: 1 });
    expect(run.progress[0]?.targets.map(({ resource }) => resource).sort()).toEqual(one.resources);
    expect((await refusalOf(begin('rooms'))).code).toBe('not-in-this-state');
    const over = await driven(run, isOver);
    const [first, second] = over.progress;
    expect([first?.outcome, second?.outcome, over.status]).toEqual(['done', 'done', 'done']);
    expect((second?.startedAt ?? 0) - (first?.endedAt ?? 0)).toBeGreaterThanOrEqual(700);
    expect([(await recoveriesOf(one)).length, (await recoveriesOf(two)).length]).toEqual([2, 1]);
    const now = await Promise.all(placed.map(({ id }) => one.allocation(id)));
    expect(new Set(now.map(({ status, labscape }) => `${status} ${labscape}`))).toEqual(
      new Set([`placed ${spare.labscape}`]),
    );
    expect((await rig.admin.call('getPlan', { params: { plan: 'rooms' } })).run).toBeUndefined();
    await verified('rooms');
  });

  test('that is started over again when all it did is over fails nothing twice', async () => {
    const site = await newSite(rig, { resources: 2, policy: POLICY });
    const [first = ''] = site.resources;
    await site.fill(3, 40);
    await put('again', { steps: [{ resources: [first] }] });
    const run = await begin('again');
    await until('an order to restore', async () => {
      const [recovery] = await recoveriesOf(site);
      return recovery?.nextPhase === 'RecoverData' || recovery?.endedAt !== undefined ? recovery : undefined;
    });
    await site.answerRestore(first, `${first}-1-1`, 'restored').catch(() => undefined);
    const over = await driven(run, isOver);
    // In service again: what names it only by its id would fail it.
    if ((await site.resource(first)).status !== 'healthy') await site.activate(first);
    // As a driver left it that was killed after it had failed the targets, and before it wrote that down.
    const { host } = rig;
    const client = new DynamoDBClient({
      ...{ endpoint: host.engine.url, region: 'us-east-1' },
      credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    });
    const TableName = host.template.tables.find(({ name }) => name.includes('-State'))?.name ?? '';
    const progress = over.progress.map(({ startedAt, targets }) => ({ startedAt, targets, recoveries: [] }));
    await client.send(
      new UpdateItemCommand({
        ...{ TableName, Key: { ...keys.planRun('again', run.id) } },
        UpdateExpression: 'SET #s = :s, #n = :n, progress = :p REMOVE endedAt',
        ExpressionAttributeNames: { '#s': 'status', '#n': 'step' },
        ExpressionAttributeValues: {
          ...{ ':s': { S: 'starting' }, ':n': { N: '0' } },
          ':p': { S: JSON.stringify(progress) },
        },
      }),
    );
    await client.send(
      new UpdateItemCommand({
        ...{ TableName, Key: { ...keys.plan('again') }, UpdateExpression: 'SET #r = :r' },
        ...{ ExpressionAttributeNames: { '#r': 'run' }, ExpressionAttributeValues: { ':r': { S: run.id } } },
      }),
    );
    const repeated = await driven(run, isOver);
    expect(repeated.status).toBe('done');
    expect(await recoveriesOf(site)).toHaveLength(1);
    expect((await site.resource(first)).status).toBe('healthy');
  });

  test('asks where its step says so, goes on by a word, and ends by another before its next step', async () => {
    const site = await newSite(rig, { resources: 3, policy: POLICY });
    const [first = '', second = '', third = ''] = site.resources;
    await put('asking', {
      steps: [
        { resources: [first], approval: true },
        { resources: [second], pauseMs: 3_600_000 },
        { resources: [third] },
      ],
    });
    const run = await begin('asking');
    expect([run.status, run.asks]).toEqual(['asking', 'shall step 1 begin']);
    const params = { plan: 'asking', run: run.id };
    const body = { decision: 'approve', reason: 'seen it' } as const;
    const going = await rig.admin.call('answerPlanRun', { params, body });
    expect(going.status).toBe('recovering');
    expect((await refusalOf(rig.admin.call('answerPlanRun', { params, body }))).code).toBe(
      'not-in-this-state',
    );
    // Driven by nobody but the sweep.
    const paused = await until('the second step is due', async () => {
      await site.beat(third);
      await rig.invoke('sweep', {});
      const now = await rig.admin.call('getPlanRun', { params });
      return now.status === 'pausing' ? now : undefined;
    });
    expect(paused.step).toBe(1);
    const over = await rig.admin.call('cancelPlanRun', { params, body: { reason: 'it is cool again' } });
    expect(over).toMatchObject({ status: 'cancelled', cancel: 'root: it is cool again' });
    expect((await refusalOf(rig.admin.call('cancelPlanRun', { params, body: { reason } }))).code).toBe(
      'not-in-this-state',
    );
    expect((await recoveriesOf(site)).map(({ resource }) => resource)).toEqual([first]);
    expect(await verified('asking')).toBeGreaterThan(5);
    // Another one may begin, and be refused by a person.
    const next = await begin('asking');
    const refused = await rig.admin.call('answerPlanRun', {
      params: { plan: 'asking', run: next.id },
      body: { decision: 'reject', reason: 'not now' },
    });
    expect([refused.status, refused.progress]).toEqual(['cancelled', []]);
  });
});

describe('a run whose step cannot begin, since its labscape is off', () => {
  const stuckIn = async (plan: string, how: 'fail' | 'drain') => {
    const site = await newSite(rig, { resources: 2, policy: POLICY });
    const [first = '', second = ''] = site.resources;
    await site.fill(2, 40);
    await put(plan, { steps: [{ how, resources: [first], approval: true }, { resources: [second] }] });
    const { id } = await begin(plan);
    await switchOff(site);
    const params = { plan, run: id };
    const body = { decision: 'approve', reason: 'seen it' } as const;
    expect((await refusalOf(rig.admin.call('answerPlanRun', { params, body }))).code).toBe(
      'not-in-this-state',
    );
    expect((await rig.admin.call('getPlanRun', { params })).status).toBe('starting');
    return { site, params };
  };

  test.each(['fail', 'drain'] as const)('is called off at once: %s', async (how) => {
    const { site, params } = await stuckIn(`stuck-${how}`, how);
    const over = await rig.admin.call('cancelPlanRun', { params, body: { reason: 'not today' } });
    expect(over).toMatchObject({ status: 'cancelled', cancel: 'root: not today' });
    expect(over.progress).toMatchObject([{ outcome: 'incomplete', recoveries: [] }]);
    expect(over.progress[0]?.endedAt).toBeLessThanOrEqual(over.endedAt ?? 0);
    expect(await recoveriesOf(site)).toEqual([]);
    expect((await site.all()).map(({ status }) => status)).toEqual(['healthy', 'healthy']);
    // Nothing of it is left: another run may begin.
    expect((await begin(params.plan)).status).toBe('asking');
    await verified(params.plan);
  });
});

test('a run that is called off half-way into its step names what had begun', async () => {
  const pair = [await newSite(rig, { policy: POLICY }), await newSite(rig, { policy: POLICY })];
  // The fleet is read by the names of its labscapes, and a step begins in that order.
  const [on, off] = pair.sort((a, b) => (a.labscape < b.labscape ? -1 : 1));
  if (on === undefined || off === undefined) throw new Error('no pair');
  await put('half', { steps: [{ labscapes: [on.labscape, off.labscape] }] });
  await switchOff(off);
  expect((await refusalOf(begin('half'))).code).toBe('not-in-this-state');
  const { run: id = '' } = await rig.admin.call('getPlan', { params: { plan: 'half' } });
  const [resource = ''] = on.resources;
  await on.ended(`${resource}-1-1`);
  const params = { plan: 'half', run: id };
  const over = await rig.admin.call('cancelPlanRun', { params, body: { reason } });
  expect(over).toMatchObject({ status: 'cancelled', progress: [{ recoveries: [`${resource}-1-1`] }] });
});

describe('a planned maintenance', () => {
  test('empties a labscape gracefully, waits for a word, and brings it back', async () => {
    const room = await newSite(rig, { resources: 3, policy: POLICY });
    const spare = await newSite(rig, { resources: 3, policy: POLICY });
    const homes = { labscapes: [room.labscape, spare.labscape] };
    const placed = await room.fill(12, 40, { constraints: homes });
    const held = (await room.all()).reduce((sum, { groups }) => sum + groups, 0);
    expect(held).toBeGreaterThan(2);
    await put('maintenance', {
      steps: [
        { how: 'drain', labscapes: [room.labscape], graceMs: 6_000 },
        { name: 'back', how: 'activate', labscapes: [room.labscape], approval: true },
      ],
    });
    const before = await rig.state();
    const quote = await quoteRun(rig, 'maintenance');
    expect(quote.steps.map(({ name, how, resources }) => [name, how, resources])).toEqual([
      ['step 1', 'drain', room.resources],
      ['back', 'activate', room.resources],
    ]);
    expect(
      quote.steps.map(({ quote: { groups, graceful, pending } }) => [groups, graceful, pending]),
    ).toEqual([
      [held, held, 0],
      [0, 0, 0],
    ]);
    expect(await rig.state()).toEqual(before);
    const asking = await driven(await begin('maintenance', quote.hash), ({ status }) => status === 'asking');
    expect([asking.asks, asking.progress[0]?.outcome]).toEqual(['shall step 2 begin', 'done']);
    const drains = await recoveriesOf(room);
    expect(drains.map(({ resource }) => resource).sort()).toEqual(room.resources);
    for (const drain of drains)
      expect(drain).toMatchObject({ trigger: 'drain', status: 'done', moves: [], grace: { left: 0 } });
    // None of the work went by another resource of the room: each group has moved once.
    expect(drains.reduce((sum, { grace }) => sum + (grace?.moved ?? 0), 0)).toBe(held);
    expect((await room.all()).map(({ status }) => status)).toEqual(['drained', 'drained', 'drained']);
    const body = { decision: 'approve', reason: 'the new pump runs' } as const;
    const params = { plan: 'maintenance', run: asking.id };
    const over = await rig.admin.call('answerPlanRun', { params, body });
    expect([over.status, over.progress.map(({ outcome }) => outcome)]).toEqual(['done', ['done', 'done']]);
    expect((await room.all()).map(({ status, groups }) => [status, groups])).toEqual([
      ['healthy', 0],
      ['healthy', 0],
      ['healthy', 0],
    ]);
    const now = await Promise.all(placed.map(({ id }) => room.allocation(id)));
    expect(new Set(now.map(({ status, labscape }) => `${status} ${labscape}`))).toEqual(
      new Set([`placed ${spare.labscape}`]),
    );
    await verified('maintenance');
    await room.expectAuditWhole(drains.map(({ id }) => id));
  });

  test('that finds no room below fill in its time goes on behind the fences, and may use the reserve', async () => {
    const site = await newSite(rig, { resources: 2, policy: POLICY });
    const [first = '', second = ''] = site.resources;
    const placed = await site.fill(2, GROUP_CLOSES_AT);
    const third = await site.register(even(CAPACITY), { role: 'full' });
    const full = { constraints: { labels: { role: 'full' } } };
    // Room for one of the two below fill; the other one fits into the reserve only.
    placed.push(...(await site.fill(FILL / GROUP_CLOSES_AT - 1, GROUP_CLOSES_AT, full)));
    await put('reserve', { steps: [{ how: 'drain', resources: [first, second], graceMs: 1_500 }] });
    const over = await driven(await begin('reserve'), isOver);
    expect(over).toMatchObject({ status: 'done', progress: [{ outcome: 'done' }] });
    const drains = await recoveriesOf(site);
    expect(drains.map(({ grace }) => [grace?.moved, grace?.left]).sort()).toEqual([
      [0, 1],
      [1, 0],
    ]);
    expect(drains.flatMap(({ moves }) => moves.map(({ to }) => to))).toEqual([third]);
    expect(drains.filter(({ joint }) => joint !== undefined)).toHaveLength(1);
    await site.expectNothingLost(placed);
  });

  test('that several drive at the same time drains each resource once', async () => {
    const site = await newSite(rig, { resources: 4, policy: POLICY });
    const drained = site.resources.slice(0, 3);
    const placed = await site.fill(8, 40);
    await put('crowded', { steps: [{ how: 'drain', resources: drained, graceMs: 3_000, approval: true }] });
    const { id } = await begin('crowded');
    const params = { plan: 'crowded', run: id };
    const body = { decision: 'approve', reason: 'test' } as const;
    const approved = rig.admin.call('answerPlanRun', { params, body });
    const others = [1, 2, 3].map(() => rig.admin.call('advancePlanRun', { params }));
    const over = await driven(await Promise.race([approved, ...others]), isOver);
    await Promise.all([approved, ...others]);
    expect(over).toMatchObject({ status: 'done', progress: [{ outcome: 'done' }] });
    expect((await recoveriesOf(site)).map(({ resource }) => resource).sort()).toEqual(drained);
    expect((await site.all()).map(({ epoch, groups }) => [epoch, groups > 0])).toEqual([
      ...drained.map(() => [2, false]),
      [1, true],
    ]);
    await site.expectNothingLost(placed);
    await verified('crowded');
  });

  test('fails over what has failed meanwhile, and brings that back, too', async () => {
    const site = await newSite(rig, { resources: 3, policy: { ...POLICY, mode: 'observe' } });
    const [first = ''] = site.resources;
    const placed = await site.fill(3, 40);
    await site.beat(first);
    await site.beat(first, { status: 'failed' });
    await site.ended(`${first}-1-1`);
    expect((await site.resource(first)).status).toBe('failed');
    const resources = [first];
    await put('failed', {
      steps: [
        { how: 'drain', resources },
        { how: 'activate', resources },
      ],
    });
    const over = await driven(await begin('failed'), isOver);
    expect(over.progress.map(({ targets }) => targets.length)).toEqual([1, 1]);
    expect(over.progress.map(({ outcome }) => outcome)).toEqual(['done', 'done']);
    expect((await recoveriesOf(site)).map(({ trigger }) => trigger).sort()).toEqual(['api', 'detector']);
    expect(await site.resource(first)).toMatchObject({ status: 'healthy', groups: 0 });
    await site.expectNothingLost(placed);
  });

  test('has a grace only where it drains, and names no classes of what comes back', async () => {
    const site = await newSite(rig, { resources: 1 });
    const labscapes = [site.labscape];
    const wrongs: z.input<typeof RecoveryPlanInput>['steps'] = [
      { labscapes, graceMs: 1_000 },
      { labscapes, how: 'activate', classes: ['critical'] },
      { labscapes, how: 'drain', graceMs: 60_000 },
    ];
    for (const wrong of wrongs)
      expect((await refusalOf(put('wrong', { steps: [wrong] }))).code).toBe('invalid-input');
  });
});
