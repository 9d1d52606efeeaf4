import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { ROOT } from '../../infra/bundle.ts';
import { runTool } from './tool.ts';
import { ACCOUNT, environmentFor, REGION, type Workspace } from './workspace.ts';

const CDK = join(ROOT, 'node_modules', 'aws-cdk', 'bin', 'cdk');
const CDK_TIMEOUT_MS = 120_000;
const CALL_TIMEOUT_MS = 30_000;
/** The name CDK gives the bucket of its assets. */
const ASSETS = `cdk-hnb659fds-assets-${ACCOUNT}-${REGION}`;

export const STATE_STACK = 'labscape-test-state';
export const CONTROL_STACK = 'labscape-test';

const Outputs = z.record(z.string(), z.record(z.string(), z.string()));
export type Outputs = z.infer<typeof Outputs>;

const Resources = z.object({
  Resources: z.record(
    z.string(),
    z.object({ Type: z.string(), Properties: z.record(z.string(), z.unknown()).default({}) }),
  ),
});
export type TemplateResource = z.infer<typeof Resources>['Resources'][string] & { readonly id: string };

/** The resources of one stack of an assembly. */
export function resourcesOf(assembly: string, stack: string): TemplateResource[] {
  const template: unknown = JSON.parse(readFileSync(join(assembly, `${stack}.template.json`), 'utf8'));
  return Object.entries(Resources.parse(template).Resources).map(([id, resource]) => ({ id, ...resource }));
}

/** The emulated account, by the tools that the real one is handled with: the CDK's command line and an AWS SDK. */
export class Cloud {
  readonly #python: string;
  readonly #workspace: Workspace;
  readonly #env: NodeJS.ProcessEnv;
  readonly #signal: AbortSignal;

  constructor(python: string, workspace: Workspace, endpoint: string, signal: AbortSignal) {
    this.#python = python;
    this.#workspace = workspace;
    this.#env = environmentFor(workspace, endpoint);
    this.#signal = signal;
  }

  /** One call of an operation, both by the names botocore has for them. */
  async call(service: string, operation: string, input: Readonly<Record<string, unknown>>): Promise<unknown> {
    const script = join(import.meta.dirname, 'call.py');
    const args = [script, service, operation, JSON.stringify(input)];
    return JSON.parse(await this.#run(this.#python, args, CALL_TIMEOUT_MS));
  }

  async bootstrap(): Promise<void> {
    await this.#cdk(['bootstrap', `aws://${ACCOUNT}/${REGION}`]);
    // It denies requests without TLS, and the emulator is called on the loopback without.
    await this.call('s3', 'delete_bucket_policy', { Bucket: ASSETS });
  }

  /** Deploys both stacks of an assembly; their outputs by stack and name. */
  async deploy(assembly: string, parameters: readonly string[] = []): Promise<Outputs> {
    const file = this.#workspace.file('outputs.json');
    rmSync(file, { force: true });
    await this.#cdk([
      ...['deploy', '--all', '--app', assembly],
      ...['--require-approval', 'never', '--progress', 'events', '--outputs-file', file],
      ...parameters.flatMap((parameter) => ['--parameters', parameter]),
    ]);
    return Outputs.parse(JSON.parse(readFileSync(file, 'utf8')));
  }

  /** The names of a stack's resources by their ids in the template. */
  async physicalIds(stack: string): Promise<ReadonlyMap<string, string>> {
    const Answer = z.object({
      StackResources: z.array(z.object({ LogicalResourceId: z.string(), PhysicalResourceId: z.string() })),
    });
    const said = await this.call('cloudformation', 'describe_stack_resources', { StackName: stack });
    const { StackResources } = Answer.parse(said);
    return new Map(StackResources.map((r) => [r.LogicalResourceId, r.PhysicalResourceId]));
  }

  /** Away from the repository's cdk.json, whose app is not to be made again. */
  #cdk(args: readonly string[]): Promise<string> {
    const cwd = this.#workspace.file('cdk');
    mkdirSync(cwd, { recursive: true });
    return this.#run(process.execPath, [CDK, ...args], CDK_TIMEOUT_MS, cwd);
  }

  #run(
    command: string,
    args: readonly string[],
    timeoutMs: number,
    cwd = this.#workspace.dir,
  ): Promise<string> {
    return runTool(command, args, { cwd, env: this.#env, timeoutMs, signal: this.#signal });
  }
}
