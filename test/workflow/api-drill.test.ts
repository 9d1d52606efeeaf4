import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { ApiDrillOptions } from '../../infra/local/drill/run-api-drill.ts';
import { runApiDrill } from '../../infra/local/drill/run-api-drill.ts';
import { even, type Rig, startRig } from '../api/rig.ts';
import { newSite, type Site } from '../api/site.ts';

/** The least that is a failover, with a lease that a machine busy with other tests can keep. */
const SIZE = { allocations: 36, groups: 2, resources: 3, beatMs: 500, leaseMs: 6_000 };

let rig: Rig;
/** Somebody else's resource and work, beside the drill. */
let bystander: Site;
let admin: string;

beforeAll(async () => {
  rig = await startRig();
  bystander = await newSite(rig, { resources: 1 });
  admin = await rig.token({ sub: 'drill-admin', roles: ['admin'] });
});
afterAll(() => rig.stop());

const drill = (options: Partial<ApiDrillOptions> = {}) =>
  runApiDrill({ ...SIZE, api: { url: rig.host.url, token: admin }, ...options });

/** Does something when a stage of that title begins. */
const at = (title: RegExp, act: () => void): Pick<ApiDrillOptions, 'progress'> => ({
  progress: { stage: (begun) => (title.test(begun) ? act() : undefined), count: () => {}, end: () => {} },
});

/** Everything of drills that still is in somebody's way: none, when they have cleaned up. */
async function inTheWay(): Promise<string[]> {
  const { labscapes } = await rig.admin.call('getStatus');
  const drills = labscapes.filter(({ id }) => id.startsWith('drill-'));
  return drills.flatMap(({ id, maintenance, resources }) => [
    ...(maintenance ? [] : [id]),
    ...resources.filter(({ status }) => status !== 'retired').map((resource) => resource.id),
  ]);
}

describe('a drill over the API', () => {
  test("loses nothing, proves it, leaves others' work alone and cleans up", async () => {
    const [theirs = ''] = bystander.resources;
    const { epoch, labscape } = await bystander.resource(theirs);
    // It may go anywhere, and the drill's resources are the emptier ones.
    let foreign: Promise<unknown> | undefined;
    const key = { 'idempotency-key': 'bystander' };
    const body = { tenant: bystander.tenant, demand: even(1) };
    const watched = at(/agents start/, () => {
      foreign = rig.admin.call('allocate', { body, headers: key });
    });

    const run = await drill(watched);

    expect(run.faults).toEqual([]);
    expect(run).toMatchObject({
      ...{ api: rig.host.url, trigger: 'detector', allocations: 36, lost: 0, pending: 0 },
      ...{ auditVerified: true, invariants: 'held' },
    });
    expect(run.moved).toBe(run.victimAllocations);
    expect(run.moved).toBeGreaterThanOrEqual(10);
    expect(run).not.toHaveProperty('writes');
    expect(run.faultToVerdictMs).toBeGreaterThan(0);
    expect(run.faultToRunningMs).toBeGreaterThanOrEqual(run.faultToVerdictMs);
    expect(run.totalMs).toBeGreaterThanOrEqual(run.faultToVerdictMs);
    expect(run.left).toEqual([
      expect.stringMatching(/^labscape drill-[0-9a-f]{8}, in maintenance/),
      expect.stringMatching(/^retired resources: drill-\w+-1, drill-\w+-2, drill-\w+-3$/),
      expect.stringMatching(/^36 released allocations/),
      expect.stringMatching(/^tenant drill-\w+, with a quota of nothing/),
      // The failover, and a drain of each resource.
      expect.stringMatching(/^the reports of 4 recoveries/),
    ]);
    expect(await inTheWay()).toEqual([]);
    expect(await foreign).toMatchObject({ status: 'placed', resource: theirs });
    expect(await bystander.resource(theirs)).toMatchObject({ epoch, labscape, status: 'healthy', groups: 1 });
  });

  test('that is interrupted while its host is cut off cleans up and says what stays', async () => {
    const interruption = new AbortController();
    const told: string[] = [];

    const interrupted = drill({
      ...at(/cut off/, () => setTimeout(() => interruption.abort(), 1_000)),
      signal: interruption.signal,
      tellLeft: (left) => told.push(...left),
    });

    await expect(interrupted).rejects.toThrow(/abort/i);
    expect(told.join('\n')).toMatch(/36 released allocations/);
    expect(told.join('\n')).not.toMatch(/still|could not|not retired/);
    expect(await inTheWay()).toEqual([]);
  });

  test.each([
    ['nobody knows', async () => 'no.such.token', /the token is refused for getStatus/],
    [
      'is an operator only',
      () => rig.token({ sub: 'drill-operator', roles: ['operator'] }),
      /the token is refused for joinLabscape, an administrator's is needed/,
    ],
  ])('with a token that %s makes nothing and says why', async (_, token, reason) => {
    const before = await rig.state();
    const api = { url: rig.host.url, token: await token() };

    await expect(drill({ api })).rejects.toThrow(reason);

    expect(await rig.state()).toEqual(before);
  });
});
