import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Client } from '../../lib/client/client.ts';
import { quarantinedLabscapes, type Restriction } from '../../lib/security/threat/board.ts';
import { expectFoldAgrees } from './fold-facts.ts';
import { type Rig, refusalOf, startRig, until, vector } from './rig.ts';
import { newSite, type Site } from './site.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());

const reason = 'three of its agents try what they may not';

/** Enough refusals of three agents of one labscape, who try what is another's, that they are one incident of it. */
const incidentOf = async ({ labscape }: Site, { labscape: other, resources: [theirs = ''] }: Site) => {
  const params = { resource: theirs };
  const body = { agent: 'a', seq: 1, resources: [{ resource: theirs, epoch: 1, assignmentRevision: 1 }] };
  const tries: ((agent: Client) => Promise<unknown>)[] = [
    (agent) => agent.call('getResource', { params }),
    (agent) => agent.call('getAssignments', { params }),
    (agent) => agent.call('beat', { params: { labscape: other }, body }),
  ];
  // Each at a function of its own: what one counts it tells in few pieces.
  for (const [at, attempt] of tries.entries()) {
    const agent = rig.as({ sub: `agent-${at}-${labscape}`, roles: ['agent'], labscape });
    for (let i = 0; i < 48; i += 1)
      expect(['forbidden', 'not-found']).toContain((await refusalOf(attempt(agent))).code);
  }
  return until('the incident', async () => {
    await rig.invoke('sweep', {});
    const { items } = await rig.admin.call('listIncidents');
    return items.find(({ type, subject }) => type === 'labscape' && subject === labscape)?.id;
  });
};

const explain = ({ tenant, labscape }: Site) =>
  rig.admin.call('explainAllocation', {
    body: { tenant, demand: vector({ processing: 40 }), constraints: { labscapes: [labscape] } },
  });

test('a quarantined labscape takes no new work until that is lifted; what it runs goes on, and fails over', async () => {
  const site = await newSite(rig, { resources: 2, policy: { fencing: 'immediate', restoreWaitMs: 1_000 } });
  const other = await newSite(rig, { resources: 1 });
  const placed = await site.fill(2, 40);
  const incident = await incidentOf(site, other);
  const params = { incident };
  expect((await explain(site)).outcome).toBe('fits');
  await rig.admin.call('respondToIncident', { params, body: { kind: 'quarantine', reason } });

  const told = await explain(site);
  expect([told.outcome, told.reasons['labscape-quarantined']]).toEqual(['no-room', 2]);
  expect(told.changes.map(({ resource }) => resource)).toEqual(other.resources);
  const refusal = await refusalOf(site.ask(40));
  expect(refusal).toMatchObject({
    code: 'no-capacity',
    reasons: { resources: { 'labscape-quarantined': 2 } },
  });
  // Elsewhere nothing is different, also for work that may go to both.
  const both = { constraints: { labscapes: [site.labscape, other.labscape] } };
  expect((await site.place(40, both)).labscape).toBe(other.labscape);
  const waiting = await site.place(40, { onFull: 'wait' });
  // New room there is none for it, either.
  const third = await site.register();
  await rig.invoke('sweep', {});
  expect([(await site.allocation(waiting.id)).status, (await site.resource(third)).groups]).toEqual([
    'pending',
    0,
  ]);
  const [first = ''] = site.resources;
  const { recovery } = await site.fail(first);
  expect(await site.ended(recovery)).toMatchObject({ pending: [] });
  const homes = await Promise.all(placed.map(({ id }) => site.allocation(id)));
  expect(homes.map(({ status, labscape }) => [status, labscape])).toEqual([
    ['placed', site.labscape],
    ['placed', site.labscape],
  ]);

  await rig.admin.call('liftResponse', { params, body: { reason: 'explained' } });
  await until('what waited is placed', async () => {
    await rig.invoke('sweep', {});
    return (await site.allocation(waiting.id)).status === 'placed' ? true : undefined;
  });
  expect((await explain(site)).outcome).toBe('fits');
  expect((await site.place(40)).labscape).toBe(site.labscape);
  const entity = `incident#${incident}`;
  const { items } = await rig.admin.call('listEvents', { query: { entity } });
  expect(items.map(({ type }) => type)).toEqual(
    expect.arrayContaining(['incident.response-applied', 'incident.response-lifted']),
  );
  expect((await rig.admin.call('verifyChain', { query: { entity } })).verified).toBe(true);
  await expectFoldAgrees(rig);
});

test('only what locks a labscape out, and is in force, holds placement off', () => {
  const base = {
    incident: 'x',
    type: 'labscape',
    subject: 'north',
    kind: 'quarantine',
    untilMs: 100,
  } as const;
  const board: Restriction[] = [
    base,
    { ...base, subject: 'east', kind: 'revoke' },
    { ...base, subject: 'throttled', kind: 'throttle' },
    { ...base, subject: 'over', untilMs: 50 },
    { ...base, subject: 'acme', type: 'tenant' },
  ];
  expect([...quarantinedLabscapes(board, 50)]).toEqual(['north', 'east']);
});
