import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ROOT } from '../../infra/bundle.ts';

/** Everything the test leaves behind lives here; git ignores it. */
const HOME = join(ROOT, '.labscape', 'deploy-test');
const RUN = /^run-(\d+)$/;

export interface Workspace {
  /** Virtual environments, kept from run to run. */
  readonly environments: string;
  /** This run's: logs, temporary files, assemblies, key. */
  readonly dir: string;
  file(name: string): string;
  remove(): void;
}

/** Folders of this run, and the end of what earlier runs left. */
export function openWorkspace(): Workspace {
  const environments = join(HOME, 'environments');
  mkdirSync(environments, { recursive: true });
  for (const name of readdirSync(HOME)) {
    const pid = RUN.exec(name)?.[1];
    if (pid !== undefined && !isAlive(Number(pid)))
      rmSync(join(HOME, name), { recursive: true, force: true });
  }
  const dir = join(HOME, `run-${process.pid}`);
  rmSync(dir, { recursive: true, force: true });
  for (const name of ['home', 'tmp']) mkdirSync(join(dir, name), { recursive: true });
  // Functions are unpacked here, and are not modules of this package: no package.json of ours stands above a Lambda.
  writeFileSync(join(dir, 'tmp', 'package.json'), '{}');
  return {
    environments,
    dir,
    file: (name) => join(dir, name),
    remove: () => rmSync(dir, { recursive: true, force: true }),
  };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Settings of the developer's that must not reach the emulated cloud, or lead a tool to the real one. */
const FOREIGN = /^(AWS_|CDK_|LABSCAPE_|PYTHON|NODE_OPTIONS$|NODE_PATH$|(https?|all|no)_proxy$)/i;

export const REGION = 'us-east-1';
export const ACCOUNT = '000000000000';

/** What every tool and the emulator see: this Node, a home of their own, the emulator for AWS. */
export function environmentFor(workspace: Workspace, endpoint: string): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !FOREIGN.test(name));
  return {
    ...Object.fromEntries(own),
    // The emulator runs functions with the `node` it finds.
    PATH: `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`,
    HOME: workspace.file('home'),
    TMPDIR: workspace.file('tmp'),
    NO_PROXY: '*',
    AWS_ENDPOINT_URL: endpoint,
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_REGION: REGION,
    AWS_DEFAULT_REGION: REGION,
    AWS_EC2_METADATA_DISABLED: 'true',
    CDK_DISABLE_CLI_TELEMETRY: 'true',
    CDK_DISABLE_VERSION_CHECK: 'true',
    CI: 'true',
  };
}
