import * as z from 'zod';
import { Health } from '../../lib/schemas/status.ts';
import { VERSION } from '../../lib/version.ts';
import { CHANGED_VERSION, synthesiseTest } from './assembly.ts';
import { collect, equal, must, until } from './check.ts';
import type { Outputs } from './cloud.ts';
import { verified } from './recovery.ts';
import { even, RESOURCES, type Site } from './site.ts';
import { allocationsOf, expiredAllocation } from './work.ts';
import type { Workspace } from './workspace.ts';

/** The sweep is called every minute from the deployment on, and may just have been. */
const SWEEP_PATIENCE_MS = 130_000;

/** Changed code, that of the folder `changed`, and settings are deployed over running work, and nothing is lost. */
export async function checkRedeploy(
  site: Site,
  workspace: Workspace,
  changed: string,
  first: Outputs,
): Promise<void> {
  const { journal, cloud } = site;
  const before = await journal.step(
    'looks at all there is',
    async () => {
      const seen = await picture(site);
      equal('version', seen.version, VERSION);
      return seen;
    },
    sizeOf,
  );
  const assembly = await journal.step('synthesises changed code and a changed setting', () =>
    synthesiseTest(workspace, 'assembly-changed', { logLevel: 'WARN' }, changed),
  );
  await journal.step('cdk deploy, over what runs', async () => {
    // Without the issuer's keys: a parameter keeps its value. The outputs name the API and the tables.
    equal('outputs', await cloud.deploy(assembly), first);
  });
  const after = await journal.step('runs the changed code with the changed setting', async () => {
    equal('log level', await logLevel(site), 'WARN');
    const seen = await picture(site);
    equal('version', seen.version, CHANGED_VERSION);
    return seen;
  });
  await journal.step('has lost nothing', () => compare(site, before, after), sizeOf);
  await journal.step('goes on working', () => goOn(site));
  await journal.step('ends a lease that ran out, by the scheduled sweep', () =>
    until('expired allocation', SWEEP_PATIENCE_MS, site.signal, () => expiredAllocation(site)),
  );
}

type Picture = Awaited<ReturnType<typeof picture>>;

/** What must be there after a deployment as it was before. */
async function picture(site: Site) {
  const { admin, url } = site;
  const events = await collect(admin.pages('listEvents', { query: { limit: 500 } }));
  return {
    version: Health.parse(await (await fetch(`${url}/health`)).json()).version,
    allocations: await allocationsOf(site),
    recoveries: await collect(admin.pages('listRecoveries')),
    events: events.map((event) => JSON.stringify(event)),
  };
}

const sizeOf = ({ allocations, recoveries, events }: Picture): string =>
  `allocations ${allocations.length}, recoveries ${recoveries.length}, audit events ${events.length}`;

/** The sweep may have added events meanwhile. */
async function compare(site: Site, before: Picture, after: Picture): Promise<Picture> {
  equal('allocations', after.allocations, before.allocations);
  equal('recoveries', after.recoveries, before.recoveries);
  const kept = new Set(after.events);
  const lost = before.events.filter((event) => !kept.has(event));
  equal('lost audit events', lost, []);
  for (const id of RESOURCES) await verified(site, `resource#${id}`);
  return after;
}

async function goOn(site: Site): Promise<void> {
  const request = { body: { demand: even(1) }, headers: { 'idempotency-key': 'after' } };
  equal('allocation', (await site.tenant.call('allocate', request)).status, 'placed');
  await site.agent.round();
  const idle = (await allocationsOf(site)).filter((allocation) => allocation.running !== true);
  must(`${idle.length} allocations do not run`, idle.length === 0);
}

async function logLevel({ cloud }: Site): Promise<string | undefined> {
  const Answer = z.object({
    Environment: z.object({ Variables: z.record(z.string(), z.string()) }),
  });
  const FunctionName = 'labscape-test-status';
  const said = await cloud.call('lambda', 'get_function_configuration', { FunctionName });
  return Answer.parse(said).Environment.Variables['POWERTOOLS_LOG_LEVEL'];
}
