import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { HEADERS_MAX } from '../../lib/http/header-limits.ts';
import { API_FUNCTIONS, ROUTES } from '../../lib/http/routes.ts';
import { happenedBefore } from '../api/old-events.ts';
import { even, type Rig, refusalOf, until } from '../api/rig.ts';
import { goodRequest, NO_INCIDENT } from '../api/samples.ts';
import { ScriptedAgent } from '../api/scripted-agent.ts';
import { newKey, signing } from '../api/signing-rig.ts';
import { CAPACITY, newSite, type Site } from '../api/site.ts';

/** Account whose alarms the local stage trusts. */
const ACCOUNT = '000000000000';
export const BOUND_ALARM = 'disk-of-bound';
export const BOUND_RESOURCE = 'bound-r1';

/** The stage must know it. */
export const BREAK_GLASS = newKey('break-glass.alice');

/** What CloudWatch says through SNS when an alarm rises. */
const risen = (AlarmName: string, labscape?: string) => ({
  Records: [
    {
      Sns: {
        MessageId: '1',
        Message: JSON.stringify({
          ...{ AlarmName, NewStateValue: 'ALARM', AWSAccountId: ACCOUNT },
          Trigger: { Dimensions: labscape === undefined ? [] : [{ name: 'labscape', value: labscape }] },
        }),
      },
    },
  ],
});

const patch = { headers: { 'if-match': '*' } };

/** Everybody does everything there is to do, and most of what can go wrong goes wrong once. */
export async function everythingOnce(rig: Rig): Promise<void> {
  for (const part of [
    people,
    work,
    leases,
    waitingForRoom,
    returning,
    ...[approval, earlyAnswers, resuming, fencing, silence, alarms, takenOver, relief, splitting, balance],
    ...[homecoming, maintenance, tidying, backups, sealing, readings, suspicions],
  ])
    await part(rig);
}

/** A backup of all, another that adds to it, and what somebody left unfinished long ago. */
async function backups(rig: Rig): Promise<void> {
  const { buckets } = rig.host.template;
  const bucket = buckets.find(({ name }) => name.endsWith('backups'))?.name ?? '';
  const old = join(rig.host.dataDir, 'objects', bucket, 'backups', '2026-01-01t00-00-00-00000000');
  mkdirSync(old, { recursive: true });
  writeFileSync(join(old, 'items-0001.jsonl.gz'), '');
  await newSite(rig);
  await rig.invoke('backup', {});
  await rig.admin.call('requestBackup', { body: { reason: 'test' } });
  await rig.invoke('backup', {});
}

/** A large host fails, and its group fits none of the small ones whole. */
async function splitting(rig: Rig): Promise<void> {
  const site = await newSite(rig, { capacity: even(10 * CAPACITY) });
  await site.fill(12, 33);
  for (const size of ['small', 'small']) await site.register(even(CAPACITY), { size });
  await site.fill(2, 550, { constraints: { labels: { size: 'small' } } });
  await site.failAndRestore(site.resources[0] ?? '');
}

/** Labscapes, tenants and principals come and change. */
async function people(rig: Rig): Promise<void> {
  const { labscape, resources } = await newSite(rig);
  await rig.admin.call('editLabscape', { ...patch, params: { labscape }, body: { weight: 50 } });
  const eve = { params: { principal: 'eve' }, body: { reason: 'test' } };
  await rig.admin.call('revokePrincipal', eve);
  await refusalOf(rig.as({ sub: 'eve', roles: ['operator'] }).call('getStatus'));
  await rig.admin.call('reinstatePrincipal', eve);
  const key = newKey(`${labscape}.host-1`);
  const params = { principal: `${labscape}.host-1` };
  await rig.admin.call('addKey', { params, body: { publicKey: key.x } });
  await signing(rig, key).call('getResource', { params: { resource: resources[0] ?? '' } });
  await rig.admin.call('listKeys', { params: { labscape } });
  await signing(rig, BREAK_GLASS).call('getStatus');
  await signing(rig, BREAK_GLASS).call('getStatus');
}

/** Work is placed, moves when its resource fails, and goes; resources are edited, drained and retired. */
async function work(rig: Rig): Promise<void> {
  const site = await newSite(rig, { resources: 3 });
  const [first = '', second = '', third = ''] = site.resources;
  const placed = await site.fill(8, 30);
  await site.quota(
    await site.quotaUsed().then((used) => ({ ...used, memory: 10, storage: 10, network: 10 })),
  );
  await site.failAndRestore(first);
  await site.activate(first);
  const body = { capacity: { processing: 2_000, memory: CAPACITY, storage: CAPACITY, network: CAPACITY } };
  await rig.admin.call('editResource', { ...patch, params: { resource: second }, body });
  await site.release(placed[0]?.id ?? '');
  await site.drained(third);
  const reason = { reason: 'test' };
  await rig.admin.call('retireResource', { params: { resource: third }, body: reason });
}

/** A lease is renewed, another one runs out, and the sweep sees it. */
async function leases(rig: Rig): Promise<void> {
  const site = await newSite(rig);
  const [renewed, left] = [
    await site.place(10, { leaseMs: 60_000 }),
    await site.place(10, { leaseMs: 1_000 }),
  ];
  const query = { tenant: site.tenant };
  const params = { allocation: renewed.id };
  await rig.admin.call('renewAllocation', { params, query, body: { leaseMs: 120_000 } });
  await until('the lease runs out', async () => {
    await rig.invoke('sweep', {});
    return (await site.allocation(left.id)).status === 'expired' ? true : undefined;
  });
}

/** What finds no room waits, and the sweep places it when there is some. */
async function waitingForRoom(rig: Rig): Promise<void> {
  const site = await newSite(rig);
  await site.place(700);
  const waiting = await site.place(600, { onFull: 'wait' });
  await site.register();
  await until('it is placed', async () => {
    await rig.invoke('sweep', {});
    return (await site.allocation(waiting.id)).status === 'placed' ? true : undefined;
  });
}

/** A resource misses its beats, and returns by one: what waits is offered it. */
async function returning(rig: Rig): Promise<void> {
  const site = await newSite(rig, { policy: { mode: 'observe', beatMs: 50, leaseMs: 600_000 } });
  const [first = ''] = site.resources;
  await site.beat(first);
  await until('the beat is missed', async () => {
    await rig.invoke('sweep', {});
    return (await site.resource(first)).status === 'suspect' ? true : undefined;
  });
  await site.place(10, { onFull: 'wait' });
  await until('it is heard again', async () => {
    await site.beat(first);
    return (await site.resource(first)).status === 'healthy' ? true : undefined;
  });
}

/** Two recoveries ask: one is approved, one is rejected. */
async function approval(rig: Rig): Promise<void> {
  for (const decision of ['approve', 'reject'] as const) {
    const site = await newSite(rig, { resources: 2, policy: { mode: 'ask', fencing: 'immediate' } });
    const [first = ''] = site.resources;
    await site.beat(first);
    await site.beat(first, { status: 'failed' });
    const id = `${first}-1-1`;
    const asked = await site.recovery(id, ({ status }) => status === 'awaiting-approval');
    const quote = asked.waiting?.quote?.hash;
    const body = { decision, reason: 'test', ...(quote !== undefined && { quote }) };
    await rig.admin.call('approveRecovery', { params: { recovery: id }, body });
    await site.ended(id);
  }
}

/** An answer that is there before the machine waits: by hand, so that no machine waits for it yet. */
async function earlyAnswers(rig: Rig): Promise<void> {
  for (const decision of ['reject', 'approve'] as const) {
    const site = await newSite(rig, { resources: 2, policy: { mode: 'observe', fencing: 'immediate' } });
    const [first = ''] = site.resources;
    await site.beat(first);
    await site.beat(first, { status: 'failed' });
    await site.ended(`${first}-1-1`);
    await rig.admin.call('listObserved', { params: { labscape: site.labscape } });
    await rig.admin.call('editLabscape', {
      ...{ ...patch, params: { labscape: site.labscape }, body: { policy: { mode: 'ask' } } },
    });
    const input = { resource: first, epoch: 1, attempt: 2, trigger: 'reconciler' };
    await rig.invoke('recovery', { phase: 'Decide', input, last: {} });
    const params = { recovery: `${first}-1-2` };
    const quote = (await rig.admin.call('getRecovery', { params })).waiting?.quote?.hash;
    const body = { decision, reason: 'test', ...(quote !== undefined && { quote }) };
    await rig.admin.call('approveRecovery', { params, body });
    await rig.invoke('recovery', { phase: 'AwaitApproval', input, last: {}, taskToken: 'too-late' });
  }
}

/** A recovery is parked, and goes on when somebody says so. */
async function resuming(rig: Rig): Promise<void> {
  const site = await newSite(rig, {
    resources: 2,
    policy: { fencing: 'immediate', restoreWaitMs: 600_000 },
  });
  const [first = ''] = site.resources;
  const { recovery } = await site.fail(first);
  await site.recovery(recovery, ({ nextPhase }) => nextPhase === 'RecoverData');
  const input = { resource: first, epoch: 1, attempt: 1, trigger: 'api' };
  await rig.invoke('recovery', { phase: 'Park', input, last: {} });
  await rig.admin.call('resumeRecovery', { params: { recovery }, body: { reason: 'test' } });
  await site.recovery(recovery, ({ status }) => status === 'done' || status === 'degraded');
}

/** A fence that waits for its agent's word, and new owners that say what runs. */
async function fencing(rig: Rig): Promise<void> {
  const site = await newSite(rig, { resources: 2, policy: { fencing: 'ack' } });
  const [first = ''] = site.resources;
  const [here, there] = agentsOf(rig, site);
  await site.fill(4, 40);
  await here?.runAll();
  await there?.beat();
  const { recovery } = await site.drain(first);
  await site.recovery(recovery, ({ nextPhase }) => nextPhase === 'Failover');
  await here?.report({ fenced: true }, 2);
  await until('the new owner runs all', async () => {
    await there?.runAll();
    const seen = await rig.admin.call('getRecovery', { params: { recovery } });
    return seen.endedAt === undefined ? undefined : true;
  });
}

/** A host falls silent: another one's beat tells, and once the sweep. */
async function silence(rig: Rig): Promise<void> {
  for (const teller of ['beat', 'sweep'] as const) {
    const site = await newSite(rig, { resources: 2, policy: { beatMs: 200, leaseMs: 2_000 } });
    const [first = '', second = ''] = site.resources;
    const [dead, alive] = agentsOf(rig, site);
    await site.fill(2, 40);
    await dead?.beat();
    await until('the silence is noticed', async () => {
      // Somebody must be heard, or it is the controller that is deaf.
      await alive?.beat({ resource: second });
      if (teller === 'sweep') await rig.invoke('sweep', {});
      return (await site.resource(first)).recovery === undefined ? undefined : true;
    });
    await until('its work runs elsewhere', async () => {
      const answer = await alive?.beat({ resource: second });
      for (const order of answer?.orders ?? []) await alive?.answer(order, 'restored');
      await alive?.runAll();
      const params = { recovery: `${first}-1-1` };
      const { endedAt } = await rig.admin.call('getRecovery', { params });
      return endedAt === undefined ? undefined : true;
    });
  }
}

/** An alarm of a labscape starts what is failed; one that is bound to a resource declares it failed as well. */
async function alarms(rig: Rig): Promise<void> {
  const site = await newSite(rig, { resources: 2, policy: { mode: 'observe', fencing: 'immediate' } });
  const [first = ''] = site.resources;
  await site.beat(first);
  await site.beat(first, { status: 'failed' });
  await site.ended(`${first}-1-1`);
  await rig.admin.call('editLabscape', {
    ...{ ...patch, params: { labscape: site.labscape }, body: { policy: { mode: 'automatic' } } },
  });
  await rig.invoke('recovery-trigger', risen('labscape-local-failed', site.labscape));
  await site.ended(`${first}-1-2`);
  await rig.admin.call('joinLabscape', {
    body: { id: 'bound', policy: { mode: 'automatic', restoreWaitMs: 1_000 } },
  });
  const capacity = { processing: 10, memory: 10, storage: 10, network: 10 };
  await rig.admin.call('registerResource', { body: { id: BOUND_RESOURCE, labscape: 'bound', capacity } });
  await rig.invoke('recovery-trigger', risen(BOUND_ALARM));
  await site.ended(`${BOUND_RESOURCE}-1-1`);
}

/** The state machine lost its executions: the sweep takes their recoveries over, and starts what is owed. */
async function takenOver(rig: Rig): Promise<void> {
  const site = await newSite(rig, { resources: 2, policy: { restoreWaitMs: 600_000 } });
  const [first = ''] = site.resources;
  const { recovery } = await site.fail(first);
  await site.recovery(recovery, ({ nextPhase }) => nextPhase === 'RecoverData');
  await rig.invoke('sweep', { orphaned: true });
  await site.recovery(recovery, ({ attempt }) => attempt === 2);
  await site.answerRestore(first, recovery, 'restored');
  await site.ended(recovery);
}

/** A failover fills the reserve of one, and another takes some of it off again. */
async function relief(rig: Rig): Promise<void> {
  const site = await newSite(rig, { resources: 2 });
  await site.fill(12, 60);
  await site.register();
  await site.fill(2, 300);
  await site.failAndRestore(site.resources[0] ?? '');
}

/** A labscape balances itself, and then somebody balances it by hand. */
async function balance(rig: Rig): Promise<void> {
  const site = await newSite(rig, { policy: { rebalance: { mode: 'automatic' } } });
  await site.fill(12, 40);
  await site.register();
  await until('the sweep moves something', async () => {
    await site.beat(site.resources[0] ?? '');
    const swept = (await rig.invoke('sweep', {})) as { rebalanced: number };
    return swept.rebalanced > 0 ? true : undefined;
  });
  await site.register();
  const labscapes = [site.labscape];
  await rig.admin.call('rebalance', { body: { goal: 'lower-maximum', labscapes, dryRun: false } });
}

/** What a failover moved away goes home. */
async function homecoming(rig: Rig): Promise<void> {
  const site = await newSite(rig, { policy: { fencing: 'immediate' } });
  const [home = ''] = site.resources;
  await site.fill(2, 40);
  await site.register();
  await site.failAndRestore(home);
  await site.activate(home);
  await rig.admin.call('failBack', { params: { resource: home }, body: { reason: 'test' } });
}

/** A plan empties a resource and brings it back; the API drives it. */
async function maintenance(rig: Rig): Promise<void> {
  const site = await newSite(rig, { resources: 2, policy: { fencing: 'immediate' } });
  const resources = site.resources.slice(0, 1);
  await site.fill(2, 40);
  const params = { plan: 'maintenance' };
  const steps = [
    { how: 'drain', resources, graceMs: 1_000 } as const,
    { how: 'activate', resources } as const,
  ];
  await rig.admin.call('putPlan', { ...patch, params, body: { steps } });
  const run = await rig.admin.call('runPlan', { params, body: { reason: 'test' } });
  if (!('rev' in run)) throw new Error('was only quoted');
  await until('the plan has run', async () => {
    const now = await rig.admin.call('advancePlanRun', { params: { ...params, run: run.id } });
    return now.endedAt === undefined ? undefined : true;
  });
}

/** What a failover brought is too large for its new host: the sweep splits some of it, and somebody the rest. */
async function tidying(rig: Rig): Promise<void> {
  const site = await newSite(rig, { capacity: even(10 * CAPACITY) });
  await site.fill(8, 40);
  await site.register();
  const [large = '', small = ''] = site.resources;
  await site.failAndRestore(large);
  await until('the sweep splits it', async () => {
    await site.beat(small);
    await rig.invoke('sweep', {});
    return (await site.resource(small)).groups > 1 ? true : undefined;
  });
  const labscapes = [site.labscape];
  await rig.admin.call('rebalance', { body: { goal: 'tidy-groups', labscapes, dryRun: false } });
}

/** What is old enough is sealed and proved. */
async function sealing(rig: Rig): Promise<void> {
  await happenedBefore(rig, ['old'], 30 * 60_000);
  await rig.invoke('sealer', {});
  await rig.admin.call('proveEvent', { query: { entity: 'principal#old', rev: 1 } });
}

/** All that can be read is read; and each route is called, whatever it answers. */
async function readings(rig: Rig): Promise<void> {
  const site = await newSite(rig);
  const { id } = await site.place(10);
  const token = await rig.token({ sub: 'root', roles: ['admin'] });
  const names = {
    ...{ labscape: site.labscape, resource: site.resources[0] ?? '', tenant: site.tenant },
    ...{
      principal: 'eve',
      allocation: id,
      recovery: `${BOUND_RESOURCE}-1-1`,
      override: 'none',
      plan: 'none',
      incident: NO_INCIDENT,
      run: 'none',
    },
  };
  const reads = ROUTES.filter(({ method }) => method === 'GET');
  for (const route of [...reads, ...ROUTES]) await rig.send({ ...goodRequest(route, names), token });
  for (const query of [{ entity: `resource#${names.resource}` }, {}])
    await rig.admin.call('listEvents', { query });
}

const agentsOf = (rig: Rig, site: Site): ScriptedAgent[] =>
  site.resources.map((resource) => new ScriptedAgent(rig, site, resource));

/** Every function refuses enough to tell of it; the sweep makes an incident of it, and a person sees to it. */
async function suspicions(rig: Rig): Promise<void> {
  const mallory = await rig.token({ sub: 'mallory', roles: ['operator'] });
  const names = { ...NOBODY, incident: NO_INCIDENT };
  const flood = Object.fromEntries(Array.from({ length: HEADERS_MAX + 1 }, (_, i) => [`x-${i}`, 'a']));
  for (const fn of API_FUNCTIONS) {
    const route = ROUTES.find((one) => one.function === fn);
    if (route === undefined) throw new Error(`no route of ${fn}`);
    const request = goodRequest(route, names);
    const headers = { ...request.headers, ...flood };
    const token = await rig.token({ sub: 'root', roles: ['admin'] });
    for (let i = 0; i < URGENT_COUNT; i += 1) await rig.send({ ...request, token, headers });
  }
  const path = '/status';
  for (let i = 0; i < URGENT_COUNT; i += 1) await rig.send({ method: 'GET', path, token: `none-${i}` });
  const headers = { 'signature-input': 'none', signature: 'none' };
  for (let i = 0; i < URGENT_COUNT; i += 1)
    await rig.send({ method: 'GET', path: '/signed/status', headers });
  // The first look learns habits, the second adds to them.
  await rig.invoke('sweep', {});
  const wrong = ROUTES.filter(({ operation }) => ['allocate', 'quote', 'putTenant'].includes(operation));
  for (const route of wrong) {
    const request = { ...goodRequest(route, names), token: mallory };
    await rig.send(request);
    for (let i = 0; i < 2 * URGENT_COUNT; i += 1) await rig.send({ ...request, body: '{' });
  }
  await rig.invoke('sweep', {});
  const { items } = await rig.admin.call('listIncidents');
  const incident = items.find(({ type }) => type === 'principal')?.id ?? '';
  const params = { incident };
  const reason = { reason: 'test' };
  await rig.admin.call('respondToIncident', { params, body: { kind: 'throttle', ...reason } });
  await rig.admin.call('liftResponse', { params, body: reason });
  await rig.admin.call('resolveIncident', { params, body: reason });
  for (const principal of ['root', 'mallory'])
    await rig.admin.call('erasePrincipal', { params: { principal }, body: reason });
}

/** From so many signals on an instance tells of them at once. */
const URGENT_COUNT = 16;
const NOBODY = {
  ...{ labscape: 'none', resource: 'none', tenant: 'none', principal: 'none', allocation: 'none' },
  ...{ recovery: 'none', override: 'none', plan: 'none', run: 'none' },
};
