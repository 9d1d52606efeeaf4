import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { HostError } from '../../infra/local/errors.ts';
import { ApiProblem } from '../../lib/client/api-error.ts';
import type { Allocation } from '../../lib/schemas/allocation.ts';
import { collect, even, type Rig, refusalOf, startRig, until } from '../api/rig.ts';
import { newSite, Site } from '../api/site.ts';
import { temporaryFolder } from '../infra/support.ts';
import { allEvents, auditFaults, failures } from './audit-facts.ts';
import { Beating, expectRehomed, letItJudge, loseForGood, PACE } from './beating.ts';
import { bytesOf, onFullDisk } from './limited-engine.ts';

/** Room that is left: a few dozen writes. */
const ROOM_BYTES = 256 * 1024;
/** Far more than fit into it. */
const WISHES_MAX = 500;
const KILOBYTE = 1024;

const folder = temporaryFolder();
afterAll(() => folder.remove());

/** The same site as another start of its host sees it. */
function again(rig: Rig, site: Site): Site {
  const same = new Site(rig, site.id, site.labscape);
  same.resources.push(...site.resources);
  return same;
}

interface Filled {
  readonly placed: Allocation[];
  /** Keys of wishes that were refused. */
  readonly refused: string[];
}

/** Allocates until the disk is full for that and for beats. */
async function fillUp(site: Site, beating: Beating): Promise<Filled> {
  const filled: Filled = { placed: [], refused: [] };
  const full = () => filled.refused.length > 3 && beating.refusals.size > 0;
  for (let wish = 0; wish < WISHES_MAX && !full(); wish += 1) {
    const key = `wish-${wish}`;
    try {
      filled.placed.push((await site.ask(1, {}, key)).body);
    } catch (error) {
      if (!(error instanceof ApiProblem) || error.code !== 'unavailable') throw error;
      filled.refused.push(key);
      await beating.tried(1);
    }
  }
  return filled;
}

test('a disk that runs full refuses writes, still reads, fails no resource and keeps what was accepted', async () => {
  const dataDir = join(folder.path, 'data');
  const before = await startRig(dataDir);
  const first = await newSite(before, { resources: 3, policy: PACE });
  const kept = await first.fill(3, 40);
  await before.stop();

  const room = bytesOf(join(dataDir, 'state.db')) + ROOM_BYTES;
  const full = await onFullDisk(folder.path, room, () => startRig(dataDir));
  const beating = new Beating(full);
  const site = again(full, first);
  const [lost = ''] = site.resources;
  let filled: Filled;
  try {
    beating.start(site);
    filled = await fillUp(site, beating);
    expect(filled.placed.length).toBeGreaterThan(0);
    expect(filled.refused.length).toBeGreaterThan(0);
    const accepted = [...kept, ...filled.placed];

    const outage = { status: 503, code: 'unavailable', retryAfterMs: 5_000 };
    expect(await refusalOf(site.ask(1, {}, 'one-more'))).toMatchObject(outage);
    expect(await refusalOf(site.register())).toMatchObject(outage);
    expect(await refusalOf(site.quota(even(900_000)))).toMatchObject(outage);
    expect(await refusalOf(site.fail(lost))).toMatchObject(outage);
    expect([...beating.refusals]).toEqual(['503 unavailable']);

    // Silent for more than two leases now, as far as the controller can tell.
    await beating.tried(Math.ceil((2.5 * PACE.leaseMs) / PACE.beatMs));
    expect(await full.invoke('sweep', {})).toMatchObject({ judged: 0, blind: true, started: 0 });
    expect(await failures(full)).toEqual([]);
    expect((await full.admin.call('listResources', {})).items.map(({ status }) => status)).toEqual(
      site.resources.map(() => 'healthy'),
    );
    // Nothing half-written, and no refusal that was one in words only.
    await site.expectNothingLost(accepted);
    const listed = await collect(full.admin.pages('listAllocations', { query: { tenant: site.tenant } }));
    expect(new Set(listed.map(({ id }) => id))).toEqual(new Set(accepted.map(({ id }) => id)));
    expect(await auditFaults(full, [site])).toEqual([]);
    expect(beating.faults).toEqual([]);
  } finally {
    await beating.stop();
    await full.stop();
  }
  await goesOn(dataDir, site, [...kept, ...filled.placed], filled.refused, lost);
});

/** Events but those of hosts that a busy machine kept from beating in time. */
async function changes(rig: Rig): Promise<number> {
  const passing = new Set(['resource.suspect', 'resource.healthy']);
  return (await allEvents(rig)).filter(({ type }) => !passing.has(type)).length;
}

/** A host that a busy machine kept from beating is suspect for a moment, and takes nothing meanwhile. */
const asked = (site: Site, key: string): Promise<Allocation> =>
  until('an allocation for what was refused', async () => {
    try {
      return (await site.ask(1, {}, key)).body;
    } catch (error) {
      if (error instanceof ApiProblem && error.code === 'no-capacity') return undefined;
      throw error;
    }
  });

/** The disk has room again: nothing accepted is lost, what was refused may be asked again, and failures are recovered. */
async function goesOn(
  dataDir: string,
  before: Site,
  accepted: readonly Allocation[],
  refused: readonly string[],
  lost: string,
): Promise<void> {
  const rig = await startRig(dataDir);
  const beating = new Beating(rig);
  try {
    const site = again(rig, before);
    const events = await changes(rig);
    beating.start(site);
    await beating.more(2);
    await letItJudge(rig, beating);
    expect(await failures(rig)).toEqual([]);
    expect(await changes(rig)).toBe(events);
    await site.expectNothingLost(accepted);
    const later: Allocation[] = [];
    for (const key of refused) later.push(await asked(site, key));
    await site.expectNothingLost([...accepted, ...later]);
    const report = await loseForGood(beating, site, lost);
    await expectRehomed(site, report, [...accepted, ...later]);
    await site.expectAuditWhole([report.id]);
    await beating.stop();
    expect(await auditFaults(rig, [site])).toEqual([]);
  } finally {
    await beating.stop();
    await rig.stop();
  }
}

describe('a start on a full disk', () => {
  // In the middle of each of the steps that make a database: opening it, the first table, the second.
  test.each([0, 50, 60, 80, 100, 120])(
    'with %d KB says so, and the next one with room is whole',
    async (kilobytes) => {
      const dataDir = join(folder.path, `new-${kilobytes}`);
      const start = onFullDisk(folder.path, kilobytes * KILOBYTE, () => startRig(dataDir));
      const refusal = await start.then(
        () => undefined,
        (error: unknown) => error,
      );
      expect(refusal).toBeInstanceOf(HostError);
      expect(String(refusal)).toMatch(
        /The database engine ended|The tables could not be made: .* Is the disk full\?/,
      );
      const rig = await startRig(dataDir);
      try {
        const site = await newSite(rig, { resources: 2 });
        await site.expectNothingLost(await site.fill(2, 40));
        expect(await auditFaults(rig, [site])).toEqual([]);
        await until(
          'an empty list of recoveries',
          async () => (await rig.admin.call('listRecoveries', {})).items,
        );
      } finally {
        await rig.stop();
      }
    },
  );
});
