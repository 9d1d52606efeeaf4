import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { MintRequest } from '../../infra/local/gateway/issuer.ts';
import type { Allocation } from '../../lib/schemas/allocation.ts';
import type { Recovery } from '../../lib/schemas/recovery.ts';
import { Rig, startRig, until } from '../api/rig.ts';
import { newSite, type Site, type SiteOptions } from '../api/site.ts';
import { auditFaults, failures } from './audit-facts.ts';
import { Beating, expectRehomed, letItJudge, loseForGood, PACE } from './beating.ts';
import { WallClock } from './wall-clock.ts';

const HOUR_MS = 3_600_000;
const DAY_S = 86_400;

/** Its callers' tokens outlast a clock that is set forward. */
class LongRig extends Rig {
  override token(identity: MintRequest): Promise<string> {
    return super.token({ ttlSeconds: DAY_S, ...identity });
  }
}

const clock = new WallClock();
let rig: Rig;
let beating: Beating;
let sites: Site[] = [];
let offsetMs = 0;

beforeEach(async () => {
  rig = new LongRig((await startRig()).host);
  beating = new Beating(rig);
  sites = [];
  offsetMs = 0;
});
afterEach(async () => {
  await beating.stop();
  await rig.stop();
  clock.restore();
});

/** A site whose resources beat. */
async function beatingSite(options: SiteOptions = {}): Promise<Site> {
  const site = await newSite(rig, { resources: 3, ...options, policy: { ...PACE, ...options.policy } });
  beating.start(site);
  sites.push(site);
  return site;
}

/** Sets the clock so much from where it is, and sees that the functions go by it. */
async function jump(byMs: number): Promise<void> {
  const at = async () => (await rig.admin.call('getStatus')).at;
  const before = await at();
  offsetMs += byMs;
  clock.set(offsetMs);
  expect(Math.round(((await at()) - before) / HOUR_MS)).toBe(byMs / HOUR_MS);
}

/** One by one: a busy machine may keep all of them from beating in time, and suspects take nothing. */
async function sixOf(site: Site): Promise<Allocation[]> {
  const placed: Allocation[] = [];
  while (placed.length < 6)
    placed.push(await until('room for one more', () => site.place(40).catch(() => undefined)));
  return placed;
}

const epochs = async (): Promise<string[]> =>
  (await Promise.all(sites.map((site) => site.all()))).flat().map(({ id, epoch }) => `${id} ${epoch}`);

const recoveriesOf = async (resource: string): Promise<Recovery[]> => {
  const { items } = await rig.admin.call('listRecoveries', { query: { limit: 500 } });
  return items.filter((recovery) => recovery.resource === resource);
};

/** Stops all agents, so that nothing changes between the events and the state. */
async function expectAuditWhole(): Promise<void> {
  await beating.stop();
  expect(await auditFaults(rig, sites)).toEqual([]);
}

test.each([
  ['back by an hour', [-HOUR_MS]],
  ['forward by an hour', [HOUR_MS]],
  ['forward by an hour, and back again', [HOUR_MS, -HOUR_MS]],
  ['back by an hour, and forward again', [-HOUR_MS, HOUR_MS]],
])('a clock that is set %s fails nobody who beats, and hides no real failure', async (_, jumps) => {
  const site = await beatingSite();
  const other = await beatingSite({ resources: 1 });
  const placed = await sixOf(site);
  await beating.more(3);
  const before = await epochs();
  for (const byMs of jumps) {
    await jump(byMs);
    await letItJudge(rig, beating);
  }
  expect(await failures(rig)).toEqual([]);
  expect(await epochs()).toEqual(before);
  expect([...beating.refusals, ...beating.faults]).toEqual([]);

  const [first = ''] = site.resources;
  const report = await loseForGood(beating, site, first);
  expect(report.trigger).toBe('detector');
  await expectRehomed(site, report, placed);
  await letItJudge(rig, beating);
  expect(await recoveriesOf(first)).toHaveLength(1);
  expect((await site.resource(first)).epoch).toBe(2);
  for (const { status } of await other.all()) expect(['healthy', 'suspect']).toContain(status);
  await site.expectAuditWhole([report.id]);
  await expectAuditWhole();
});

test('who dies in the moment the clock is set back is recovered after a lease, not after an hour', async () => {
  const site = await beatingSite();
  const alone = await beatingSite({ resources: 1 });
  const placed = await sixOf(site);
  await beating.more(3);
  const dead = [site.resources[0] ?? '', alone.resources[0] ?? ''];
  for (const resource of dead) await beating.silence(resource);
  await jump(-HOUR_MS);
  for (const resource of dead) {
    // Of a labscape without another host nobody restores anything: how that ends is not the question here.
    await site.ended(`${resource}-1-1`);
    expect(await recoveriesOf(resource)).toHaveLength(1);
  }
  await site.expectNothingLost(placed);
  expect((await site.resource(dead[0] ?? '')).used.processing).toBe(0);
  await expectAuditWhole();
});

test('who is declared failed after the clock was set back is fenced for a lease, not for an hour', async () => {
  const site = await beatingSite();
  const placed = await sixOf(site);
  await beating.more(3);
  const [first = ''] = site.resources;
  await beating.silence(first);
  await jump(-HOUR_MS);
  const { recovery } = await site.fail(first);
  await expectRehomed(site, await site.ended(recovery), placed);
  await expectAuditWhole();
});

test('a cool-down of before the clock was set back does not last an hour longer', async () => {
  const site = await beatingSite({ policy: { coolDownMs: 100 } });
  const placed = await sixOf(site);
  const [first = ''] = site.resources;
  await beating.more(3);
  await expectRehomed(site, await loseForGood(beating, site, first), placed);
  beating.start(site, [first]);
  await until('it returned', async () =>
    (await site.resource(first)).status === 'healthy' ? true : undefined,
  );
  await jump(-HOUR_MS);
  await beating.more(3);
  await beating.silence(first);
  const second = await until('its second recovery has ended', async () =>
    (await recoveriesOf(first)).find(({ id, endedAt }) => id !== `${first}-1-1` && endedAt !== undefined),
  );
  expect(second.trigger).toBe('detector');
  await expectRehomed(site, second, placed);
  await expectAuditWhole();
});

test.each([
  ['back', -HOUR_MS],
  ['forward', HOUR_MS],
])('a recovery that waits for a fence while the clock is set %s ends, once', async (_, byMs) => {
  const site = await beatingSite();
  const placed = await sixOf(site);
  const [first = ''] = site.resources;
  await beating.more(3);
  const { recovery } = await site.fail(first);
  await site.recovery(recovery, () => true);
  await jump(byMs);
  // Every wait seems to be over since long, or to last for an hour still: the sweep may take the recovery over.
  await letItJudge(rig, beating);
  const report = await site.ended(recovery);
  await expectRehomed(site, report, placed);
  expect(await recoveriesOf(first)).toHaveLength(1);
  expect(new Set(report.moves.map(({ group }) => group)).size).toBe(report.moves.length);
  expect((await site.resource(first)).epoch).toBe(2);
  await site.expectAuditWhole([recovery]);
  await expectAuditWhole();
});
