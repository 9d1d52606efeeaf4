import { Health } from '../../lib/schemas/status.ts';
import { VERSION } from '../../lib/version.ts';
import { CHANGED_VERSION, changedSources, synthesiseTest } from './assembly.ts';
import { collect, equal, must, until } from './check.ts';
import { type Outputs, STATE_STACK } from './cloud.ts';
import { verified } from './recovery.ts';
import { even, RESOURCES, type Site, TENANT } from './site.ts';
import { allocationsOf, expiredAllocation } from './work.ts';
import type { Workspace } from './workspace.ts';

/** The sweep is called every minute from the deployment on, and may just have been. */
const SWEEP_PATIENCE_MS = 130_000;

/** Changed code and settings are deployed over running work, and nothing is lost. */
export async function checkRedeploy(site: Site, workspace: Workspace, first: Outputs): Promise<void> {
  const { journal, cloud, admin, url } = site;
  const before = await picture(site);
  const version = async () => Health.parse(await (await fetch(`${url}/health`)).json()).version;
  equal('version', await version(), VERSION);
  const assembly = await journal.step('synthesises changed code and a changed setting', () =>
    synthesiseTest(workspace, 'assembly-changed', { logLevel: 'WARN' }, changedSources(workspace)),
  );
  // Without the issuer's keys: a parameter keeps its value.
  const second = await journal.step('deploys them over what runs', () => cloud.deploy(assembly));
  await journal.step('runs the changed code behind the same address, on the same tables', async () => {
    equal('outputs', second, first);
    equal('version', await version(), CHANGED_VERSION);
  });
  await journal.step(
    'has lost nothing',
    async () => {
      const after = await picture(site);
      equal('allocations', after.allocations, before.allocations);
      equal('recoveries', after.recoveries, before.recoveries);
      const kept = new Set(after.events);
      equal(
        'lost audit events',
        before.events.filter((event) => !kept.has(event)),
        [],
      );
      for (const id of RESOURCES) await verified(site, `resource#${id}`);
      return after;
    },
    ({ allocations, events }) => `${allocations.length} allocations, ${events.length} audit events`,
  );
  await journal.step('goes on working', async () => {
    const request = { body: { demand: even(1) }, headers: { 'idempotency-key': 'after' } };
    equal('allocation', (await site.tenant.call('allocate', request)).status, 'placed');
    await site.agent.round();
    must(
      'the new allocation does not run',
      (await allocationsOf(site)).every((a) => a.running === true),
    );
  });
  await journal.step(
    'ends a lease that ran out, by the scheduled sweep',
    () => until('expired allocation', SWEEP_PATIENCE_MS, site.signal, () => expiredAllocation(site)),
    (allocation) => allocation.id,
  );
  equal('quota of the tenant', (await admin.call('getTenant', { params: { tenant: TENANT } })).id, TENANT);
  must('the state stack has outputs', first[STATE_STACK] !== undefined);
}

/** What must be there after a deployment as it was before. */
async function picture(site: Site) {
  const { admin } = site;
  const events = await collect(admin.pages('listEvents', { query: { limit: 500 } }));
  return {
    allocations: await allocationsOf(site),
    recoveries: await collect(admin.pages('listRecoveries')),
    events: events.map((event) => JSON.stringify(event)),
  };
}
