import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Constraints } from '../../lib/schemas/allocation.ts';
import { type Rig, refusalOf, startRig } from './rig.ts';
import { newSite, type Site } from './site.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());

const keepsDataIn = (site: Site, residency: string) =>
  rig.admin.call('editLabscape', {
    params: { labscape: site.labscape },
    body: { residency },
    headers: { 'if-match': '*' },
  });

/** Anywhere within these sites, if their residency admits it. */
const within = (sites: readonly Site[], residency: string[]): Constraints => ({
  labscapes: sites.map((site) => site.id),
  residency,
});

describe('residency', () => {
  test('admits only labscapes that keep their data there, and says why not', async () => {
    const [here, there, silent] = [await newSite(rig), await newSite(rig), await newSite(rig)];
    await keepsDataIn(here, 'ch');
    expect((await keepsDataIn(there, 'no')).residency).toBe('no');
    const sites = [here, there, silent];
    for (let i = 0; i < 3; i += 1) {
      const placed = await here.place(10, { constraints: within(sites, ['no', 'fi']) });
      expect(placed.labscape).toBe(there.id);
    }
    const refusal = await refusalOf(here.ask(1, { constraints: within(sites, ['fi']) }));
    expect(refusal.code).toBe('no-capacity');
    expect(refusal.reasons['resources']).toMatchObject({ 'residency-excluded': 3 });
  });

  test('is given once', async () => {
    const site = await newSite(rig);
    await keepsDataIn(site, 'ch');
    expect((await keepsDataIn(site, 'ch')).residency).toBe('ch');
    const refusal = await refusalOf(keepsDataIn(site, 'no'));
    expect([refusal.code, refusal.errors[0]?.field]).toEqual(['conflict', 'residency']);
    const labscape = await rig.admin.call('getLabscape', { params: { labscape: site.labscape } });
    expect(labscape.residency).toBe('ch');
  });

  test('holds through a failover: what may be nowhere else waits', async () => {
    const [here, there] = [await newSite(rig), await newSite(rig)];
    await keepsDataIn(here, 'li');
    // Anywhere at all, so that its residency is what most of the fleet refuses it for.
    const bound = await here.place(10, { constraints: { labscapes: undefined, residency: ['li'] } });
    const free = await here.place(10, { constraints: { labscapes: [here.id, there.id] } });
    const recovery = await here.failAndRestore(here.resources[0] ?? '');
    expect([(await here.allocation(bound.id)).status, (await here.allocation(free.id)).labscape]).toEqual([
      'pending',
      there.id,
    ]);
    expect(recovery.pending.map(({ reason }) => reason)).toEqual(['residency-excluded']);
    const home = await here.register();
    await rig.invoke('sweep', {});
    expect((await here.allocation(bound.id)).resource).toBe(home);
  });
});
