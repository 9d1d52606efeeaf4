import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Rig, refusalOf, startRig, until } from './rig.ts';
import { LIMIT, newSite, type Site } from './site.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());

/** Far longer than a look takes, ms. */
const FRESH_MS = 8_000;
const DATA = { required: true, maxAgeMs: 3_600_000, copies: [] };

const look = (labscape: string) => rig.admin.call('listReadiness', { query: { labscape, limit: 500 } });

/** Agents of all resources of a site are heard, and the sweep looks. */
const sweep = async (site: Site): Promise<{ labscape: string; alarming: number }[]> => {
  for (const id of site.resources) await site.beat(id);
  return ((await rig.invoke('sweep', {})) as { readiness: { labscape: string; alarming: number }[] })
    .readiness;
};

const codesOf = (reasons: readonly { readonly code: string }[]) => reasons.map(({ code }) => code);

describe('readiness', () => {
  test('says that all is ready, within which time, and what changed when the room was gone', async () => {
    const site = await newSite(rig, { resources: 3, policy: { leaseMs: 600_000 } });
    const placed = await site.fill(6, 100);
    await sweep(site);
    const calm = await look(site.labscape);
    expect(calm.items.map(({ resource, state, reasons }) => [resource, state, reasons])).toEqual(
      site.resources.map((id) => [id, 'ready', []]),
    );
    for (const { movedWithinMs } of calm.items) expect(movedWithinMs).toBeGreaterThanOrEqual(600_000);
    expect(calm.labscapes).toMatchObject([
      {
        ...{ labscape: site.labscape, behind: 0, state: 'not-ready' },
        resources: { ready: 3, atRisk: 0, notReady: 0, unknown: 0 },
      },
    ]);
    // Nobody else may take it: all of it lost, nothing fits, and a person is asked.
    expect(codesOf(calm.labscapes[0]?.reasons ?? [])).toEqual(
      expect.arrayContaining(['waits', 'breaker', 'observers']),
    );
    // Each holds about two thirds of its limit now: two thirds of one do not fit on the rest of the others.
    placed.push(...(await site.fill(9, 120)));
    const swept = await sweep(site);
    const full = await look(site.labscape);
    for (const { state, reasons, movedWithinMs } of full.items) {
      expect([state, codesOf(reasons), movedWithinMs]).toEqual(['not-ready', ['waits'], undefined]);
      expect(reasons[0]?.explanation).toMatch(/^\d of \d groups would find no place: no-room-processing$/);
    }
    expect(swept.find(({ labscape }) => labscape === site.labscape)?.alarming).toBe(3);
    // What it says would wait does wait.
    const [first = ''] = site.resources;
    const quote = await rig.admin.call('quote', { body: { resources: [first] } });
    const told = Number(full.items[0]?.reasons[0]?.explanation.split(' ')[0]);
    expect(quote.pending).toHaveLength(told);
    for (const { id } of placed.slice(6)) await site.release(id);
    await sweep(site);
    const again = await look(site.labscape);
    expect(again.items.map(({ state }) => state)).toEqual(['ready', 'ready', 'ready']);
    expect(again.items.every(({ since }, i) => since > (calm.items[i]?.since ?? 0))).toBe(true);
  });

  test('tells the reserve from the room that placement may use', async () => {
    const site = await newSite(rig, { resources: 2, policy: { fill: 'system' } });
    // Together within the limit of one, and above its fill.
    await site.fill(2, LIMIT / 2 - 10, { class: 'high' });
    await sweep(site);
    const { items } = await look(site.labscape);
    expect(items.map(({ state, reasons }) => [state, codesOf(reasons)])).toEqual([
      ['at-risk', ['reserve']],
      ['at-risk', ['reserve']],
    ]);
    expect(items[0]?.movedWithinMs).toBeGreaterThan(0);
  });

  test('turns from ready to not ready when nothing but time has passed, and a copy of data is stale by it', async () => {
    const site = await newSite(rig, { resources: 2 });
    const [{ id, resource: home = '' }] = [await site.place(20, { data: DATA })];
    const other = site.resources.find((one) => one !== home) ?? '';
    const copied = async (freshForMs: number): Promise<number> => {
      const staleAt = Date.now() + freshForMs;
      const body = { copies: [{ resource: other, asOf: staleAt - DATA.maxAgeMs }] };
      await rig.admin.call('putCopies', { params: { allocation: id }, query: { tenant: site.tenant }, body });
      return staleAt;
    };
    const answer = async () => {
      const swept = await sweep(site);
      const [row] = (await look(site.labscape)).items.filter(({ resource }) => resource === home);
      const { alarming } = swept.find(({ labscape }) => labscape === site.labscape) ?? {};
      return [row?.state, row?.reasons.map(({ explanation }) => explanation), alarming];
    };
    const staleAt = await copied(FRESH_MS);
    expect(await answer()).toEqual(['ready', [], 0]);
    await until('the copy is stale', async () => Date.now() > staleAt || undefined);
    const waits = '1 of 1 groups would find no place: no-fresh-copy';
    expect(await answer()).toEqual(['not-ready', [waits], 1]);
    expect((await rig.admin.call('quote', { body: { resources: [home] } })).pending).toMatchObject([
      { reason: 'no-fresh-copy' },
    ]);
    await copied(DATA.maxAgeMs);
    expect(await answer()).toEqual(['ready', [], 0]);
  });

  test('names who is not heard, and the rules that would stand in the way', async () => {
    const site = await newSite(rig, { resources: 2, policy: { mode: 'observe' } });
    const [first = '', second = ''] = site.resources;
    await site.fill(2, 50);
    await site.beat(first);
    await rig.invoke('sweep', {});
    const of = async (id: string) => {
      const row = (await look(site.labscape)).items.find(({ resource }) => resource === id);
      return [row?.state, codesOf(row?.reasons ?? [])];
    };
    expect(await of(first)).toEqual(['not-ready', ['mode-observe']]);
    expect(await of(second)).toEqual(['not-ready', ['mode-observe', 'unwatched']]);
    const mode = (change: object) =>
      rig.admin.call('editLabscape', {
        ...{ params: { labscape: site.labscape }, headers: { 'if-match': '*' } },
        body: change,
      });
    await mode({ policy: { mode: 'ask', fencing: 'ack' } });
    await sweep(site);
    expect(await of(first)).toEqual(['at-risk', ['mode-ask', 'fence']]);
    await mode({ policy: { mode: 'automatic', fencing: 'lease' }, maintenance: true });
    const [swept] = (await sweep(site)).filter(({ labscape }) => labscape === site.labscape);
    expect(await of(first)).toEqual(['not-ready', ['maintenance']]);
    // Chosen by a person: nobody is woken.
    expect(swept?.alarming).toBe(0);
  });

  test('is listed in pages, in the status of the fleet, and forgets what is no resource any more', async () => {
    const site = await newSite(rig, { resources: 3, policy: { fencing: 'immediate' } });
    await sweep(site);
    const all = (await look(site.labscape)).items.map(({ resource }) => resource);
    expect(all).toEqual(site.resources);
    const pages: string[] = [];
    for await (const { resource } of rig.admin.pages('listReadiness', {
      query: { labscape: site.labscape, limit: 2 },
    }))
      pages.push(resource);
    expect(pages).toEqual(all);
    const fleet: string[] = [];
    for await (const { resource } of rig.admin.pages('listReadiness', { query: { limit: 2 } }))
      fleet.push(resource);
    expect(fleet).toEqual([...new Set(fleet)]);
    expect(fleet).toEqual(expect.arrayContaining(all));
    const status = await rig.admin.call('getStatus');
    expect(status.labscapes.find(({ id }) => id === site.labscape)?.readiness?.resources.ready).toBe(3);
    const [first = ''] = site.resources;
    await site.drained(first);
    await rig.admin.call('retireResource', { params: { resource: first }, body: { reason: 'test' } });
    await rig.invoke('sweep', {});
    expect((await look(site.labscape)).items.map(({ resource }) => resource)).toEqual(all.slice(1));
    expect((await refusalOf(look('nowhere'))).code).toBe('not-found');
  });
});
