import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Client } from '../../lib/client/client.ts';
import { type Rig, refusalOf, startRig, vector } from './rig.ts';
import { FILL, newSite, type Site } from './site.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());

/** The tenant of a site itself: it may see no resource but those that its work runs on. */
const tenantOf = ({ tenant, id }: Site): Client => rig.as({ sub: `tina-${id}`, roles: ['tenant'], tenant });

const wish = ({ labscape }: Site, processing: number, wanted = {}) => ({
  demand: vector({ processing }),
  constraints: { labscapes: [labscape] },
  ...wanted,
});

let keys = 0;
const place = (site: Site, processing: number, client = tenantOf(site)) =>
  client.call('allocate', {
    body: { ...wish(site, processing), tenant: site.tenant },
    headers: { 'idempotency-key': `discreet-${++keys}` },
  });
const batch = (site: Site, mode: 'gang' | 'best-effort', processing: readonly number[]) =>
  tenantOf(site).call('allocateBatch', {
    body: { mode, items: processing.map((one) => wish(site, one)) },
    headers: { 'idempotency-key': `discreet-${++keys}` },
  });

const expectNamesNothing = ({ resources }: Site, told: unknown): void => {
  const text = JSON.stringify(told);
  for (const id of resources) expect(text).not.toContain(id);
  expect(text).not.toContain('figure');
};

describe('a tenant', () => {
  test('is told why, how often and in which labscape, and no resources', async () => {
    const site = await newSite(rig, { resources: 3 });
    const client = tenantOf(site);
    const fits = await client.call('explainAllocation', { body: wish(site, 40) });
    expect([fits.outcome, fits.choice]).toEqual(['fits', { labscape: site.labscape }]);
    expect(fits.runnersUp).toEqual([{ labscape: site.labscape }, { labscape: site.labscape }]);
    await site.fill(3, FILL - 40);
    const none = await client.call('explainAllocation', { body: wish(site, 100, { class: 'critical' }) });
    expect([none.outcome, none.reasons['no-room-processing']]).toEqual(['no-room', 3]);
    expect(none.changes).toContainEqual({ labscape: site.labscape, less: { processing: 60 }, drop: [] });
    expect(none.preemption).toMatchObject({ class: 'critical', labscape: site.labscape });
    const refusal = await refusalOf(place(site, 100));
    expect([refusal.code, refusal.reasons['changes']]).toEqual(['no-capacity', none.changes]);
    const gang = await refusalOf(batch(site, 'gang', [100]));
    expect([gang.code, gang.reasons['changes']]).toEqual(['no-capacity', none.changes]);
    const { items } = await batch(site, 'best-effort', [100]);
    expect(items[0]?.problem?.reasons?.['changes']).toEqual(none.changes);
    for (const told of [fits, none, refusal.message, refusal.reasons, gang.message, gang.reasons, items])
      expectNamesNothing(site, told);
    // An operator sees the fleet.
    const operator = rig.as({ sub: 'olga', roles: ['operator'] });
    const seen = await operator.call('explainAllocation', {
      body: { ...wish(site, 40), tenant: site.tenant },
    });
    expect(site.resources).toContain(seen.choice?.resource);
    expect((await refusalOf(place(site, 100, operator))).reasons['changes']).toContainEqual(
      expect.objectContaining({ resource: expect.stringMatching(site.id) }),
    );
  });

  test('hears of the reserve that is lacking, and not of which resource', async () => {
    const reserved = (reserve: 'warn' | 'refuse') =>
      newSite(rig, { resources: 3, policy: { fill: 'n+1', reserve } });
    const [warned, refused] = [await reserved('warn'), await reserved('refuse')];
    for (const site of [warned, refused]) await site.fill(2, 450);
    const { warning } = await place(warned, 450);
    expect(warning).toMatch(/^if one of its resources failed, 1 of its groups would wait: processing 450/);
    const refusal = await refusalOf(place(refused, 450));
    expect(refusal.reasons['reserve']).toMatch(/^if one of its resources failed, .*processing 450/);
    const gang = await refusalOf(batch(refused, 'gang', [450]));
    expect(gang.message).toContain('leave no reserve: if one of its resources failed');
    for (const told of [refusal.message, refusal.reasons, gang.message, gang.reasons])
      expectNamesNothing(refused, told);
  });
});
