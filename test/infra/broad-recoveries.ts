import { even, type Rig, until } from '../api/rig.ts';
import { ScriptedAgent } from '../api/scripted-agent.ts';
import { CAPACITY, newSite, type Site } from '../api/site.ts';

/** Account whose alarms the local stage trusts. */
const ACCOUNT = '000000000000';
export const BOUND_ALARM = 'disk-of-bound';
export const BOUND_RESOURCE = 'bound-r1';

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

const agentsOf = (rig: Rig, site: Site): ScriptedAgent[] =>
  site.resources.map((resource) => new ScriptedAgent(rig, site, resource));

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

/** One asks, and its resource beats again: the sweep takes it back. */
async function unneeded(rig: Rig): Promise<void> {
  const site = await newSite(rig, { resources: 2, policy: { mode: 'ask' } });
  const [first = ''] = site.resources;
  await site.beat(first);
  await site.beat(first, { status: 'failed' });
  const id = `${first}-1-1`;
  await site.recovery(id, ({ status }) => status === 'awaiting-approval');
  await until('the sweep takes it back', async () => {
    await site.beat(first);
    const swept = (await rig.invoke('sweep', {})) as { withdrawn: number };
    return swept.withdrawn > 0 ? true : undefined;
  });
  await site.ended(id);
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

/** A large host fails, and its group fits none of the small ones whole. */
async function splitting(rig: Rig): Promise<void> {
  const site = await newSite(rig, { capacity: even(10 * CAPACITY) });
  await site.fill(12, 33);
  for (const size of ['small', 'small']) await site.register(even(CAPACITY), { size });
  await site.fill(2, 550, { constraints: { labels: { size: 'small' } } });
  await site.failAndRestore(site.resources[0] ?? '');
}

/** Recoveries of every kind, and what they wait for. */
export const RECOVERING = [
  approval,
  unneeded,
  earlyAnswers,
  resuming,
  fencing,
  silence,
  alarms,
  takenOver,
  splitting,
];
