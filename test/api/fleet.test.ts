import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { ResourceStatus } from '../../lib/schemas/resource.ts';
import { sum } from '../../lib/vector.ts';
import { even, type Rig, refusalOf, startRig, until, vector } from './rig.ts';
import { CAPACITY, newSite, type Site } from './site.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());

const etagOf = async (site: Site): Promise<string> =>
  (await rig.admin.exchange('getLabscape', { params: { labscape: site.id } })).etag ?? '';

const edit = (site: Site, ifMatch: string, weight: number) =>
  rig.admin.exchange('editLabscape', {
    params: { labscape: site.id },
    body: { weight },
    headers: { 'if-match': ifMatch },
  });

const editResource = (resource: string, ifMatch: string, body: object) =>
  rig.admin.exchange('editResource', {
    params: { resource },
    body,
    headers: { 'if-match': ifMatch },
  });

describe('labscapes', () => {
  test('join with the defaults of the specification, once', async () => {
    const { body, status, etag } = await rig.admin.exchange('joinLabscape', { body: { id: 'plain' } });
    expect([status, etag, body.protocolVersion]).toEqual([201, '"1"', '1.0']);
    expect(body.policy).toMatchObject({
      ...{ mode: 'observe', fencing: 'lease', fill: 'system' },
      limits: { processing: 0.8, memory: 0.85, storage: 0.75, network: 0.7 },
    });
    const again = await refusalOf(rig.admin.call('joinLabscape', { body: { id: 'plain' } }));
    expect([again.status, again.code]).toEqual([409, 'already-exists']);
    const read = await rig.admin.exchange('getLabscape', { params: { labscape: 'plain' } });
    expect([read.body, read.etag]).toEqual([body, '"1"']);
    const { items } = await rig.admin.call('listLabscapes');
    expect(items).toContainEqual(body);
  });

  test('that speak no version of ours are refused, and told which', async () => {
    const join = (id: string, protocolVersions: string[]) =>
      rig.admin.call('joinLabscape', { body: { id, protocolVersions } });
    const refusal = await refusalOf(join('stranger', ['2.0', '0.9']));
    expect([refusal.status, refusal.code]).toEqual([409, 'version-incompatible']);
    expect(refusal.errors).toEqual([{ field: 'protocolVersions', reason: 'none meets 1.0' }]);
    expect(
      (await refusalOf(rig.admin.call('getLabscape', { params: { labscape: 'stranger' } }))).status,
    ).toBe(404);
    expect((await join('newer', ['2.0', '1.7'])).protocolVersion).toBe('1.0');
  });

  test('are edited only against the ETag that was read', async () => {
    const site = await newSite(rig, { resources: 0 });
    const token = await rig.token({ sub: 'root', roles: ['admin'] });
    const headers = { 'content-type': 'application/json' };
    const blind = { method: 'PATCH', path: `/labscapes/${site.id}`, token, headers, body: '{"weight":7}' };
    expect((await rig.send(blind)).status).toBe(428);
    expect((await refusalOf(edit(site, '3', 7))).code).toBe('invalid-input');
    expect((await refusalOf(edit(site, 'W/"1"', 7))).errors[0]?.field).toBe('If-Match');
    expect(await etagOf(site)).toBe('"1"');
    const edited = await edit(site, '"1"', 7);
    expect([edited.etag, edited.body.weight]).toEqual(['"2"', 7]);
    const stale = await refusalOf(edit(site, '"1"', 8));
    expect([stale.status, stale.code, stale.errors[0]?.field]).toEqual([
      412,
      'stale-precondition',
      'If-Match',
    ]);
    expect((await edit(site, '*', 9)).etag).toBe('"3"');
  });

  test('of many editors with one ETag one succeeds', async () => {
    const site = await newSite(rig, { resources: 0 });
    const outcomes = await Promise.allSettled(Array.from({ length: 6 }, (_, i) => edit(site, '"1"', i + 1)));
    expect(outcomes.filter((o) => o.status === 'fulfilled')).toHaveLength(1);
    for (const outcome of outcomes)
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ status: 412 });
    expect(await etagOf(site)).toBe('"2"');
    await site.expectAuditWhole();
  });

  test('keep a policy that holds together', async () => {
    const site = await newSite(rig, { resources: 0 });
    const patch = (policy: object) =>
      rig.admin.call('editLabscape', {
        params: { labscape: site.id },
        body: { policy },
        headers: { 'if-match': '*' },
      });
    const refusal = await refusalOf(patch({ leaseMs: 1_000 }));
    expect([refusal.code, refusal.errors[0]?.field]).toEqual(['invalid-input', 'policy.leaseMs']);
    expect((await patch({ leaseMs: 1_000, beatMs: 500 })).policy).toMatchObject({
      ...{ leaseMs: 1_000, beatMs: 500, mode: 'automatic' },
    });
  });
});

describe('resources', () => {
  test.each(['system', 'n+1'] as const)('join by dozens at once, under fill %s', async (fill) => {
    const site = await newSite(rig, { resources: 0, policy: { fill } });
    const capacity = even(CAPACITY);
    const ids = Array.from({ length: 36 }, (_, i) => `${site.id}-of-many-${i}`);
    const join = (id: string) =>
      rig.admin.exchange('registerResource', { body: { id, labscape: site.id, capacity } });
    expect((await Promise.all(ids.map(join))).map(({ status }) => status)).toEqual(ids.map(() => 201));
  });

  test('are registered once, in a joined labscape, with limits and fill of its policy', async () => {
    const site = await newSite(rig, { resources: 0 });
    const id = await site.register({ processing: 999, memory: 999, storage: 999, network: 999 });
    const resource = await site.resource(id);
    expect(resource).toMatchObject({ status: 'healthy', epoch: 1, cfg: 1, groups: 0, used: even(0) });
    expect(resource.limit).toEqual({ processing: 799, memory: 849, storage: 749, network: 699 });
    expect(resource.fill).toEqual({ processing: 719, memory: 764, storage: 674, network: 629 });
    const other = await newSite(rig, { resources: 0 });
    const taken = rig.admin.call('registerResource', {
      body: { id, labscape: other.id, capacity: even(1) },
    });
    expect((await refusalOf(taken)).code).toBe('already-exists');
    const homeless = await refusalOf(
      rig.admin.call('registerResource', { body: { id: 'lost', labscape: 'nowhere', capacity: even(1) } }),
    );
    expect([homeless.status, homeless.errors[0]?.field]).toEqual([404, 'labscape']);
  });

  test('are edited against their ETag, and take more work at once', async () => {
    const site = await newSite(rig, { shared: true });
    const [id = ''] = site.resources;
    await site.place(720);
    expect((await refusalOf(site.ask(1))).code).toBe('no-capacity');
    expect((await refusalOf(editResource(id, '"2"', { labels: {} }))).status).toBe(412);
    const labels = { ...site.labels, rack: 'x' };
    const edited = await editResource(id, '"1"', { capacity: even(2 * CAPACITY), labels });
    expect(edited.etag).toBe('"2"');
    expect(edited.body).toMatchObject({ limit: { processing: 1_600 }, labels: { rack: 'x' } });
    expect((await site.ask(1)).status).toBe(201);
  });

  test('are not cut below what they hold', async () => {
    const site = await newSite(rig, { shared: true });
    const [id = ''] = site.resources;
    await site.place(400);
    const before = await site.resource(id);
    const refusal = await refusalOf(
      editResource(id, '*', { capacity: { ...even(CAPACITY), processing: 499 } }),
    );
    expect([refusal.status, refusal.code]).toEqual([409, 'conflict']);
    expect(refusal.errors[0]?.field).toBe('capacity.processing');
    expect(await site.resource(id)).toEqual(before);
    expect((await editResource(id, '*', { capacity: { ...even(CAPACITY), processing: 500 } })).status).toBe(
      200,
    );
    expect((await site.resource(id)).limit.processing).toBe(400);
  });

  test('that nobody registered are not found', async () => {
    const params = { resource: 'nothing' };
    const body = { reason: 'test' };
    for (const call of [
      () => rig.admin.call('getResource', { params }),
      () => editResource('nothing', '*', { labels: {} }),
      () => rig.admin.call('failResource', { params, body }),
      () => rig.admin.call('drainResource', { params, body }),
      () => rig.admin.call('activateResource', { params, body }),
      () => rig.admin.call('retireResource', { params, body }),
      () => rig.admin.call('getAssignments', { params }),
      () => rig.admin.call('report', { params, body: { agent: 'a', epoch: 1, fenced: true } }),
      () => rig.admin.call('getLabscape', { params: { labscape: 'nothing' } }),
      () => rig.admin.call('getTenant', { params: { tenant: 'nothing' } }),
      () => rig.admin.call('getRecovery', { params: { recovery: 'nothing' } }),
      () => rig.admin.call('verifyChain', { query: { entity: 'resource#nothing' } }),
    ]) {
      const refusal = await refusalOf(call());
      expect([refusal.status, refusal.code]).toEqual([404, 'not-found']);
    }
  });
});

describe('drain', () => {
  test('moves everything, keeps the resource empty, and activate takes it back', async () => {
    const site = await newSite(rig, { shared: true, resources: 2 });
    const [first = '', second = ''] = site.resources;
    const placed = await site.fill(12, 30);
    const moved = placed.filter((a) => a.resource === first);
    const report = await site.drained(first);
    expect(report).toMatchObject({ status: 'done', trigger: 'drain', pending: [], rehomedShare: 1 });
    expect(report.moves.map((m) => m.to)).toEqual(report.moves.map(() => second));
    expect(report.moves.reduce((count, move) => count + move.count, 0)).toBe(moved.length);
    expect(await site.resource(first)).toMatchObject({
      status: 'drained',
      groups: 0,
      used: even(0),
      epoch: 2,
    });
    for (const { id } of moved) {
      expect(await site.allocation(id)).toMatchObject({ status: 'placed', resource: second, groupEpoch: 2 });
    }
    expect((await site.place(30)).resource).toBe(second);
    expect((await site.activate(first)).status).toBe('healthy');
    // More than the other has left.
    expect((await site.place(400)).resource).toBe(first);
    expect(sum((await site.all()).map((r) => r.used))).toEqual(await site.quotaUsed());
    await site.expectAuditWhole([report.id]);
  });

  test('of an empty resource is done at once', async () => {
    const site = await newSite(rig, { shared: true, resources: 2 });
    const report = await site.drained(`${site.id}-r1`);
    expect(report).toMatchObject({ status: 'done', moves: [], pending: [] });
  });
});

describe('fail', () => {
  test('moves the work, and the resource is offline until it is activated', async () => {
    const site = await newSite(rig, { shared: true, resources: 3 });
    const [first = ''] = site.resources;
    await site.fill(9, 30);
    const report = await site.failAndRestore(first);
    expect(report).toMatchObject({ status: 'done', trigger: 'api', rehomedShare: 1, epoch: 2 });
    expect(report.demand).toEqual(vector({ processing: 90 }));
    expect(await site.resource(first)).toMatchObject({ status: 'offline', groups: 0, used: even(0) });
    expect((await site.activate(first)).status).toBe('healthy');
    await site.expectAuditWhole([report.id]);
    const { recoveries } = await rig.admin.call('getStatus');
    expect(recoveries).toContainEqual(expect.objectContaining({ id: report.id, status: 'done' }));
  });
});

/** Brings a resource of a site of its own into a status. */
const ARRANGE: Readonly<Record<ResourceStatus, (site: Site, id: string) => Promise<unknown>>> = {
  healthy: async () => {},
  suspect: async (site, id) => {
    await site.beat(id);
    await until('the beat is missed', async () => {
      await rig.invoke('sweep', {});
      return (await site.resource(id)).status === 'suspect' ? true : undefined;
    });
  },
  failed: async (site, id) => {
    await site.beat(id);
    // A verdict that lost a race falls with the next beat.
    await until('it is failed', async () => {
      await site.beat(id, { status: 'failed' });
      return (await site.resource(id)).status === 'failed' ? true : undefined;
    });
    await site.ended(`${id}-1-1`);
  },
  recovering: async (site, id) => {
    const { recovery } = await site.fail(id);
    await site.recovery(recovery, (at) => at.nextPhase === 'RecoverData');
  },
  drained: (site, id) => site.drained(id),
  offline: (site, id) => site.failAndRestore(id),
  retired: async (site, id) => {
    await site.drained(id);
    await rig.admin.call('retireResource', { params: { resource: id }, body: { reason: 'test' } });
  },
};
const OPERATIONS = ['failResource', 'drainResource', 'activateResource', 'retireResource'] as const;
const REFUSED: Readonly<Record<ResourceStatus, readonly (typeof OPERATIONS)[number][]>> = {
  healthy: ['activateResource', 'retireResource'],
  suspect: ['retireResource'],
  failed: ['drainResource', 'retireResource'],
  recovering: OPERATIONS,
  drained: ['failResource', 'drainResource'],
  offline: ['failResource', 'drainResource'],
  retired: OPERATIONS,
};

test.each(Object.keys(ARRANGE) as ResourceStatus[])(
  'what a resource that is %s cannot become is refused and changes nothing',
  async (status) => {
    // Observed only, so that a failed verdict stays; suspect long before the lease ends.
    const policy = { mode: 'observe', beatMs: 50, leaseMs: 600_000, restoreWaitMs: 600_000 } as const;
    const site = await newSite(rig, { resources: 2, policy });
    const [id = ''] = site.resources;
    await ARRANGE[status](site, id);
    const before = await rig.state();
    expect((await site.resource(id)).status).toBe(status);
    for (const operation of REFUSED[status]) {
      const body = { reason: 'test' };
      const refusal = await refusalOf(rig.admin.call(operation, { params: { resource: id }, body }));
      expect([operation, refusal.status, refusal.code]).toEqual([operation, 409, 'not-in-this-state']);
      // Nobody is told that what is healthy cannot become healthy.
      expect(refusal.message).not.toContain(`is ${status} and cannot become ${status}`);
    }
    expect(await rig.state()).toEqual(before);
  },
);
