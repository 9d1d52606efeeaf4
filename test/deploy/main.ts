import { relative } from 'node:path';
import { openIssuer } from '../../infra/local/gateway/issuer.ts';
import { parseOptions, understood } from '../../infra/usage.ts';
import { checkAccess } from './access.ts';
import { checkAlarm } from './alarm.ts';
import { AUDIENCE, changedSources, ISSUER, synthesiseTest } from './assembly.ts';
import { Cloud, CONTROL_STACK, type Outputs, resourcesOf, STATE_STACK } from './cloud.ts';
import { Emulator } from './emulator.ts';
import { Journal, NotAvailable, StepFailed } from './journal.ts';
import { preparePython } from './python.ts';
import { checkRecovery } from './recovery.ts';
import { checkRedeploy } from './redeploy.ts';
import { type Site, siteAt } from './site.ts';
import { setUpWork } from './work.ts';
import { openWorkspace, type Workspace } from './workspace.ts';

/**
 * Deploys the stage `test` with the CDK's command line into an emulated cloud and drives it over its public API. See
 * emulator.py and function-runtime.ts for what the emulator lacks and how that is made up for.
 */

const USAGE = 'npm run test:deploy';
const EXIT_INTERRUPTED = 130;
const LOG_LINES = 60;

const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

/** The API by its path form: the host name of its URL is one that not every resolver knows. */
function apiUrl(endpoint: string, outputs: Outputs): string {
  const [, url = ''] =
    Object.entries(outputs[CONTROL_STACK] ?? {}).find(([name]) => name.startsWith('HttpUrl')) ?? [];
  const id = /^https?:\/\/([a-z0-9]+)\.execute-api\./.exec(url)?.[1];
  if (id === undefined) throw new Error(`the stack's output has no URL of an API, but ${url}`);
  return `${endpoint}/_aws/execute-api/${id}/$default`;
}

interface Deployed {
  readonly site: Site;
  readonly assembly: string;
  /** Sources whose code has changed. */
  readonly changed: string;
  readonly outputs: Outputs;
}

async function deploy(
  journal: Journal,
  workspace: Workspace,
  emulator: Emulator,
  python: string,
  signal: AbortSignal,
): Promise<Deployed> {
  const cloud = new Cloud(python, workspace, emulator.endpoint, signal);
  const issuer = await openIssuer(workspace.file('issuer-key.json'));
  const stranger = await openIssuer(workspace.file('stranger-key.json'));
  // Beforehand, so that both deployments are of the same sources though somebody edits them meanwhile.
  const changed = changedSources(workspace);
  const assembly = await journal.step(
    'synthesises stage test',
    () => synthesiseTest(workspace, 'assembly', { logLevel: 'INFO' }),
    (made) =>
      [STATE_STACK, CONTROL_STACK]
        .map((stack) => `${stack} ${resourcesOf(made, stack).length} resources`)
        .join(', '),
  );
  await journal.step('cdk bootstrap', () => cloud.bootstrap());
  const outputs = await journal.step('cdk deploy', () =>
    cloud.deploy(assembly, [`${CONTROL_STACK}:IssuerKeys=${issuer.keys}`]),
  );
  const site = siteAt({
    ...{ journal, cloud, signal },
    url: apiUrl(emulator.endpoint, outputs),
    mint: issuer.minter(ISSUER, AUDIENCE),
    forge: stranger.minter(ISSUER, AUDIENCE),
  });
  return { site, assembly, changed, outputs };
}

async function testDeployed(
  { site, assembly, changed, outputs }: Deployed,
  workspace: Workspace,
): Promise<void> {
  await checkAccess(site);
  await setUpWork(site);
  await checkRecovery(site, 'host-1');
  await checkAlarm(site, assembly, 'host-2');
  await checkRedeploy(site, workspace, changed, outputs);
}

async function run(journal: Journal, workspace: Workspace, signal: AbortSignal): Promise<void> {
  const { python } = await journal.step(
    'prepares a virtual environment',
    () => preparePython(workspace, signal),
    ({ version, isNew }) => `Python ${version}, ${isNew ? 'new' : 'from before'}`,
  );
  const emulator = await Emulator.start(python, workspace);
  try {
    await journal.step(
      'starts the emulated cloud',
      () => emulator.ready(signal),
      (version) => `MiniStack ${version} at ${emulator.endpoint}, roles enforced`,
    );
    await testDeployed(await deploy(journal, workspace, emulator, python, signal), workspace);
  } catch (error) {
    if (!signal.aborted) say(`\nThe end of the emulator's log:\n${emulator.tail(LOG_LINES)}\n`);
    throw error;
  } finally {
    await emulator.stop();
  }
}

/** The exit code. */
async function main(signal: AbortSignal): Promise<number> {
  const journal = new Journal(say);
  const workspace = openWorkspace();
  let keep = false;
  try {
    await run(journal, workspace, signal);
    say(journal.summary());
    return 0;
  } catch (error) {
    if (signal.aborted) return EXIT_INTERRUPTED;
    if (error instanceof NotAvailable) {
      say(`skipped: ${error.message}`);
      say(journal.summary(1));
      return 0;
    }
    if (!(error instanceof StepFailed)) {
      journal.failed += 1;
      say(`FAIL ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    }
    keep = true;
    say(`Logs and assemblies are in ${relative(process.cwd(), workspace.dir)} until the next run.`);
    say(journal.summary());
    return 1;
  } finally {
    if (!keep) workspace.remove();
  }
}

const asked = understood(USAGE, (argv) => parseOptions({ args: [...argv], options: {} }));
if (typeof asked === 'number') process.exit(asked);

/** The first request to stop ends everything in order; a second one does not wait for that. */
const interruption = new AbortController();
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(name, () => {
    interruption.abort();
    process.once(name, () => process.exit(EXIT_INTERRUPTED));
  });
}
process.exit(await main(interruption.signal));
