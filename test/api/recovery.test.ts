import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Allocation } from '../../lib/schemas/allocation.ts';
import type { Recovery } from '../../lib/schemas/recovery.ts';
import { even, type Rig, startRig, until, vector } from './rig.ts';
import { CAPACITY, LIMIT, newSite, type Site } from './site.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());

/** The last part of an item key, which names the item. */
const itemsOf = (keys: readonly string[]): string[] =>
  keys.map((key) => key.slice(key.lastIndexOf('#', key.lastIndexOf('#') - 1) + 1));

/** Committed transactions that touched one of the recovery's groups since it began. */
const flipsOf = (report: Recovery) =>
  rig.host
    .transactions()
    .filter(({ at, status }) => status === 200 && at >= report.startedAt)
    .filter(({ keys }) => report.moves.some(({ group }) => itemsOf(keys).includes(`GRP#${group}`)));

describe('one failed resource', () => {
  test.each([
    [10, 40],
    [120, 4],
  ])('moves %d allocations in one transaction', async (count, size) => {
    const site = await newSite(rig, { shared: true });
    const placed = await site.fill(count, size);
    await site.register();
    await site.register();
    const [first = ''] = site.resources;
    const groups = new Set(placed.map((a) => a.group)).size;
    expect((await site.resource(first)).groups).toBe(groups);
    const report = await site.failAndRestore(first);
    expect(report).toMatchObject({ status: 'done', pending: [], rehomedShare: 1 });
    expect(report.moves).toHaveLength(groups);
    const flips = flipsOf(report);
    expect(flips).toHaveLength(1);
    const targets = new Set(report.moves.map((move) => move.to)).size;
    // Groups, targets, the source, the recovery and the event: nothing by allocation.
    expect(flips[0]?.keys).toHaveLength(groups + targets + 3);
    expect(itemsOf(flips[0]?.keys ?? []).filter((key) => key.startsWith('ALLOC#'))).toEqual([]);
    await site.expectNothingLost(placed);
    await site.expectAuditWhole([report.id]);
  });

  test('is recovered once, however often and at the same time it is declared failed', async () => {
    const site = await newSite(rig, { shared: true, resources: 2 });
    const [first = ''] = site.resources;
    await site.fill(4, 40);
    const outcomes = await Promise.allSettled([site.fail(first), site.fail(first), site.fail(first)]);
    for (const outcome of outcomes) {
      if (outcome.status === 'fulfilled') expect(outcome.value.recovery).toBe(`${first}-1-1`);
      else expect(outcome.reason).toMatchObject({ status: 409, code: 'not-in-this-state' });
    }
    const report = await site.ended(`${first}-1-1`);
    expect(flipsOf(report)).toHaveLength(1);
    expect(rig.host.executions().filter(({ name }) => name.startsWith(`${first}-`))).toHaveLength(1);
    const { items } = await rig.admin.call('listRecoveries', { query: { limit: 500 } });
    expect(items.filter(({ resource }) => resource === first)).toHaveLength(1);
  });

  test('is recovered although an execution of its name died before it wrote anything', async () => {
    const site = await newSite(rig, { shared: true, resources: 2 });
    const [first = ''] = site.resources;
    const placed = await site.fill(4, 40);
    const input = { resource: first, epoch: 1, attempt: 1, trigger: 'detector' };
    // Neither failed nor owned: an execution that finds it so ends, and one that fails takes nothing back.
    for (const phase of ['Detect', 'Compensate']) {
      const answer = await rig.host.invoke('recovery', { phase, input, last: {} });
      expect([phase, answer]).toEqual([phase, { ok: true, payload: { proceed: 'End' } }]);
    }
    expect(await site.fail(first)).toEqual({ recovery: `${first}-1-2`, resource: first });
    expect((await site.ended(`${first}-1-2`)).moves).toHaveLength(2);
    await site.expectNothingLost(placed);
  });

  test('is not recovered again by its tasks, whichever is repeated after the end', async () => {
    const site = await newSite(rig, { shared: true, resources: 2 });
    const [first = ''] = site.resources;
    const placed = await site.fill(4, 40);
    const report = await site.failAndRestore(first);
    await site.activate(first);
    const before = await rig.state();
    const input = { resource: first, epoch: 1, attempt: 1, trigger: 'api' };
    const waits = ['AwaitApproval', 'AwaitFence', 'AwaitRestore', 'AwaitRunning'];
    const phases = [...report.phases.map((phase) => phase.name), ...waits, 'Compensate', 'Park'];
    expect(phases.length).toBeGreaterThanOrEqual(18);
    for (const phase of phases) {
      const token = waits.includes(phase) ? { taskToken: 'late' } : {};
      const answer = await rig.host.invoke('recovery', { phase, input, last: {}, ...token });
      if (answer.ok) expect([phase, answer.payload]).toEqual([phase, { proceed: 'End' }]);
      else expect([phase, answer.errorType]).toEqual([phase, 'Superseded']);
    }
    expect(await rig.state()).toEqual(before);
    expect(await site.recovery(report.id, () => true)).toEqual(report);
    await site.expectNothingLost(placed);
  });
});

describe('two that fail together', () => {
  test('lose nothing, though each may be the target of the other', async () => {
    const site = await newSite(rig, { shared: true, resources: 3 });
    const [first = '', second = '', third = ''] = site.resources;
    const placed = await site.fill(12, 40);
    const reports = await Promise.all([site.drained(first), site.drained(second)]);
    for (const { status, pending } of reports) expect([status, pending]).toEqual(['done', []]);
    await site.expectNothingLost(placed);
    expect((await site.resource(third)).used).toEqual(vector({ processing: 480 }));
    await site.expectAuditWhole(reports.map(({ id }) => id));
  });

  test('lose nothing while others allocate and release', async () => {
    const site = await newSite(rig, { shared: true, resources: 3 });
    const [first = ''] = site.resources;
    const placed = await site.fill(9, 20);
    let drained = false;
    const churn = Array.from({ length: 3 }, async () => {
      const kept: Allocation[] = [];
      while (!drained) {
        const [a, b] = [await site.place(5), await site.place(5)];
        await site.release(a.id);
        kept.push(b);
        if (kept.length > 3) await site.release(kept.shift()?.id ?? '');
      }
      return kept;
    });
    const report = await site.drained(first);
    drained = true;
    const kept = (await Promise.all(churn)).flat();
    expect(report.status).toBe('done');
    expect(await site.resource(first)).toMatchObject({ status: 'drained', used: even(0), groups: 0 });
    await site.expectNothingLost([...placed, ...kept]);
    await site.expectAuditWhole([report.id]);
  });

  test('lose nothing of what is released while it moves', async () => {
    const site = await newSite(rig);
    const [first = ''] = site.resources;
    const placed = await site.fill(24, 5);
    await site.register();
    const leaving = placed.filter((_, i) => i % 2 === 0);
    const [report] = await Promise.all([
      site.drained(first),
      ...[0, 1, 2].map(async (lane) => {
        for (const { id } of leaving.filter((_, i) => i % 3 === lane)) await site.release(id);
      }),
    ]);
    expect(report).toMatchObject({ status: 'done', pending: [] });
    await site.expectNothingLost(placed.filter((allocation) => !leaving.includes(allocation)));
    await site.expectAuditWhole([report.id]);
  });
});

describe('a target that has changed since it was seen', () => {
  // Observed only, with beats so quick that one is soon missed, and a lease that does not end.
  const policy = { mode: 'observe', beatMs: 50, leaseMs: 600_000 } as const;

  /** A refusal is believed on a fresh picture only: after this the recovery function has one, for a second. */
  const letItLook = async (site: Site, spare: string) => {
    await site.beat(spare);
    await site.beat(spare, { status: 'failed' });
    await site.ended(`${spare}-1-1`);
  };

  test('takes nothing when it is no longer healthy, and is met again when it was only edited', async () => {
    const site = await newSite(rig, { resources: 1, policy });
    const [first = ''] = site.resources;
    const placed = await site.fill(4, 40);
    const [second, third, spare] = [await site.register(), await site.register(), await site.register()];
    await site.place(100, { constraints: { labels: {} } });
    await site.beat(second);
    await letItLook(site, spare);
    await until('a beat is missed', async () => {
      await rig.invoke('sweep', {});
      return (await site.resource(second)).status === 'suspect' ? true : undefined;
    });
    const edit = { params: { resource: third }, headers: { 'if-match': '*' } };
    await rig.admin.call('editResource', { ...edit, body: { labels: { seen: 'no' } } });
    const before = (await site.resource(second)).used;
    const report = await site.drained(first);
    expect(new Set(report.moves.map(({ to }) => to))).toEqual(new Set([third]));
    expect((await site.resource(second)).used).toEqual(before);
    expect((await Promise.all(placed.map(({ id }) => site.allocation(id)))).map((a) => a.resource)).toEqual(
      placed.map(() => third),
    );
    await site.expectAuditWhole([report.id]);
  });

  test('is not filled past its limit', async () => {
    const site = await newSite(rig, { resources: 1, policy });
    const [first = ''] = site.resources;
    const placed = await site.fill(2, 100);
    const second = await site.register(even(CAPACITY), { role: 'target' });
    const on = { constraints: { labels: { role: 'target' } } };
    placed.push(...(await site.fill(6, 100, on)));
    const spare = await site.register({ ...even(CAPACITY), processing: 1 });
    await letItLook(site, spare);
    // As it was seen, both groups would fit exactly.
    placed.push(await site.place(20, on), await site.place(100, on));
    const report = await site.drained(first);
    expect(report.status).toBe('degraded');
    expect([report.moves.length, report.pending.length]).toEqual([0, 2]);
    expect((await site.resource(second)).used).toEqual(vector({ processing: 720 }));
    await site.expectNothingLost(placed);
    await site.expectAuditWhole([report.id]);
  });
});

describe('work that fits nowhere', () => {
  let alone: Rig;
  beforeAll(async () => {
    // A fleet of its own: the reason is the most frequent one, and nobody else may be healthy below.
    alone = await startRig();
  });
  afterAll(() => alone.stop());

  test('is not even taken from its resource when nobody else is healthy', async () => {
    const site = await newSite(alone);
    const [only = ''] = site.resources;
    const placed = await site.fill(2, 40);
    const report = await site.ended((await site.fail(only)).recovery);
    expect(report).toMatchObject({ status: 'refused', moves: [] });
    expect(report.reason).toContain('feasible');
    expect(await site.resource(only)).toMatchObject({ status: 'failed', groups: 2 });
    await site.expectNothingLost(placed);
  });

  test('waits with its reason, degrades the recovery, and is placed when there is room', async () => {
    const site = await newSite(alone, { resources: 2 });
    const [first = '', second = ''] = site.resources;
    const placed = await site.fill(12, 100);
    const report = await site.failAndRestore(first);
    // 600 each, and a limit of 800: two of six move into the reserve.
    expect(report.status).toBe('degraded');
    expect(report.moves).toHaveLength((LIMIT - 600) / 100);
    expect(report.pending).toHaveLength(4);
    for (const { reason } of report.pending) expect(reason).toBe('no-room-processing');
    expect(report.reason).toContain('4 groups wait for room');
    expect((await site.resource(second)).used).toEqual(vector({ processing: LIMIT }));
    const waiting = (await Promise.all(placed.map(({ id }) => site.allocation(id)))).filter(
      ({ status }) => status === 'pending',
    );
    expect(waiting.map(({ reason }) => reason)).toEqual(Array(4).fill('no-room-processing'));
    expect((await alone.admin.call('getStatus')).pending.groups).toBe(4);
    await site.expectNothingLost(placed);
    // One of them is released as it waits; room comes for the others.
    await site.release(waiting[0]?.id ?? '');
    const third = await site.register();
    await alone.invoke('sweep', {});
    expect((await site.resource(third)).used).toEqual(vector({ processing: 300 }));
    expect((await alone.admin.call('getStatus')).pending.groups).toBe(0);
    await site.expectNothingLost(placed.filter(({ id }) => id !== waiting[0]?.id));
    await site.expectAuditWhole([report.id]);
  });
});
