import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { ROOT } from '../bundle.ts';
import { loadStage, type StageConfig } from '../config.ts';
import { UsageError, understood } from '../usage.ts';

const CdkJson = z.object({ context: z.record(z.string(), z.unknown()) });
const OPTIONS = ['stage', 'issuer', 'audience'] as const;

export interface Command {
  readonly config: StageConfig;
  /** `-c KEY=VALUE` as the pinned CDK wants them, so that its app sees the same stage. */
  readonly context: readonly string[];
  readonly yes: boolean;
}

/** Reads `--stage NAME [--issuer URL] [--audience NAME] [--yes]` and the stage's entry in cdk.json. */
export function readCommand(args: readonly string[], root: string = ROOT): Command {
  const given: Record<string, string> = {};
  let yes = false;
  const rest = [...args];
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    const name = OPTIONS.find((option) => arg === `--${option}`);
    if (arg === '--yes') yes = true;
    else if (name === undefined) throw new UsageError(`Unknown option '${arg}'`);
    else given[name] = argumentOf(arg, rest.shift());
  }
  if (given['stage'] === undefined)
    throw new UsageError('--stage is missing: the name of a stage in cdk.json');
  if (given['stage'] === 'local') throw new UsageError('stage local runs on this machine: npm start');
  const { context } = CdkJson.parse(JSON.parse(readFileSync(join(root, 'cdk.json'), 'utf8')));
  return {
    config: stageOf({ ...context, ...given }),
    context: Object.entries(given).flatMap(([key, value]) => ['-c', `${key}=${value}`]),
    yes,
  };
}

function argumentOf(option: string, value: string | undefined): string {
  if (value === undefined || value.startsWith('-')) throw new UsageError(`${option} needs a value`);
  return value;
}

function stageOf(context: Readonly<Record<string, unknown>>): StageConfig {
  try {
    return loadStage((key) => context[key]);
  } catch (error) {
    const why = error instanceof z.ZodError ? z.prettifyError(error) : String((error as Error).message);
    throw new UsageError(why);
  }
}

/** Runs the CDK of node_modules, whose version package.json pins; settles with its exit code. */
export function runCdk(args: readonly string[]): Promise<number> {
  const cdk = join(ROOT, 'node_modules', 'aws-cdk', 'bin', 'cdk');
  const app = `${JSON.stringify(process.execPath)} infra/app.ts`;
  const child = spawn(process.execPath, [cdk, ...args, '--app', app], { cwd: ROOT, stdio: 'inherit' });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
}

/** Runs `main` as a program: its exit code, or one sentence, the usage and 2 for a mistake of the caller's. */
export async function program(usage: string, main: (command: Command) => Promise<number>): Promise<void> {
  const command = understood(usage, (argv) => readCommand(argv));
  process.exitCode = typeof command === 'number' ? command : await main(command);
}
