import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Rig, startRig, until } from './rig.ts';
import { newSite, type Site } from './site.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());

/** A latency is half forgotten after 21 beats of 50 ms; nobody fails by silence. */
const POLICY = { beatMs: 50, leaseMs: 600_000, strategy: 'weighted-round-robin' } as const;

let seq = 0;

/**
 * Beats of an agent that speaks for all resources, `latencies` in ms in their order. In one batch: on a busy machine a
 * beat of one would find the other late, and a suspect resource takes no work.
 */
const beats = async (site: Site, latencies: readonly number[], rounds: number) => {
  for (let round = 0; round < rounds; round += 1) {
    seq += 1;
    const resources = site.resources.map((resource, i) => ({
      ...{ resource, epoch: 1, assignmentRevision: 1, latencyMs: latencies[i] },
    }));
    const params = { labscape: site.labscape };
    await rig.admin.call('beat', { params, body: { agent: 'agent', seq, resources } });
    await sleep(POLICY.beatMs);
  }
};

const weights = async (site: Site) => {
  const { labscapes } = await rig.admin.call('getStatus');
  const { resources = [] } = labscapes.find(({ id }) => id === site.labscape) ?? {};
  return resources.map(({ weight }) => weight);
};

/** A young picture of the fleet: the pace of a resource is no older than it. */
const placed = async (site: Site, count: number): Promise<number[]> => {
  await sleep(1_100);
  const all = await site.fill(count, 1);
  return site.resources.map((id) => all.filter(({ resource }) => resource === id).length);
};

test('weighted-round-robin gives a slow resource fewer, and as many again once it has recovered', async () => {
  const site = await newSite(rig, { resources: 2, policy: { ...POLICY, adaptiveWeights: true } });
  await beats(site, [10, 10], 2);
  expect(await placed(site, 8)).toEqual([4, 4]);
  const { cfg } = await site.resource(site.resources[1] ?? '');
  await until('the slow one weighs less', async () => {
    await beats(site, [10, 90], 5);
    const [fast, slow] = await weights(site);
    return (fast?.now ?? 0) >= 2 * (slow?.now ?? 100) ? true : undefined;
  });
  const [fast, slow] = await weights(site);
  expect(slow).toMatchObject({ base: 100, now: slow?.wanted, medianMs: expect.any(Number) });
  expect(slow?.latencyMs).toBeGreaterThan(10);
  expect(slow?.reason).toMatch(/ms where the median of 2 is/);
  expect(fast?.now).toBeGreaterThan(100);
  const [many = 0, few = 0] = await placed(site, 12);
  expect(many + few).toBe(12);
  expect(few).toBeLessThanOrEqual(4);
  expect(few).toBeGreaterThan(0);
  // Only a hint: whoever edits the resource next need not know of it, and no event tells of it.
  expect((await site.resource(site.resources[1] ?? '')).cfg).toBe(cfg);
  await until('both weigh the same again', async () => {
    await beats(site, [10, 10], 10);
    return (await weights(site)).every(({ now }) => now === 100) ? true : undefined;
  });
  const [one = 0, other = 0] = await placed(site, 8);
  expect([one, other]).toEqual([4, 4]);
  await site.expectAuditWhole();
});

test('without the policy nothing changes, but the status says what would', async () => {
  const site = await newSite(rig, { resources: 2, policy: POLICY });
  await beats(site, [10, 90], 8);
  const [fast, slow] = await weights(site);
  expect([fast?.now, slow?.now]).toEqual([100, 100]);
  expect(slow?.wanted).toBeLessThan(100);
  expect(slow?.reason).toMatch(/not used/);
  expect(await placed(site, 8)).toEqual([4, 4]);
});

test('a labscape that adapts no more has its own weights at once', async () => {
  const site = await newSite(rig, { resources: 2, policy: { ...POLICY, adaptiveWeights: true } });
  await beats(site, [10, 90], 8);
  expect((await weights(site)).every(({ now }) => now === 100)).toBe(false);
  await rig.admin.call('editLabscape', {
    ...{ params: { labscape: site.labscape }, body: { policy: { adaptiveWeights: false } } },
    headers: { 'if-match': '*' },
  });
  expect((await weights(site)).map(({ now }) => now)).toEqual([100, 100]);
  expect(await placed(site, 8)).toEqual([4, 4]);
});
