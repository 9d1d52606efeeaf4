import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { NotAvailable } from './journal.ts';
import { lastLines, runTool, ToolFailed, type ToolRun } from './tool.ts';
import type { Workspace } from './workspace.ts';

const CANDIDATES = [
  'python3',
  'python3.14',
  'python3.13',
  'python3.12',
  'python3.11',
  'python3.10',
  'python',
];
const MINOR_MIN = 10;
const REQUIREMENTS = join(import.meta.dirname, 'requirements.txt');
const ASK_TIMEOUT_MS = 20_000;
/** The packages have 90 MB. */
const INSTALL_TIMEOUT_MS = 240_000;

export interface Environment {
  readonly python: string;
  /** `3.11`. */
  readonly version: string;
  readonly isNew: boolean;
}

/** The Python of a private virtual environment that holds what requirements.txt names, made once for each of its texts. */
export async function preparePython(workspace: Workspace, signal: AbortSignal): Promise<Environment> {
  const run: ToolRun = { cwd: workspace.dir, env: process.env, timeoutMs: ASK_TIMEOUT_MS, signal };
  const { command, version } = await findPython(run);
  const digest = createHash('sha256').update(readFileSync(REQUIREMENTS)).digest('hex').slice(0, 12);
  const dir = join(workspace.environments, `python${version}-${digest}`);
  const python = join(dir, 'bin', 'python');
  if (existsSync(python)) return { python, version, isNew: false };
  for (const old of readdirSync(workspace.environments))
    if (!old.includes('.draft.')) rmSync(join(workspace.environments, old), { recursive: true, force: true });
  await install(command, dir, { ...run, timeoutMs: INSTALL_TIMEOUT_MS });
  return { python, version, isNew: true };
}

async function findPython(run: ToolRun): Promise<{ command: string; version: string }> {
  const ask = 'import sys, venv, ensurepip; print(*sys.version_info[:2], sep=".")';
  for (const command of CANDIDATES) {
    const version = await runTool(command, ['-c', ask], run).then(
      (said) => said.trim(),
      () => '',
    );
    const [major, minor] = version.split('.').map(Number);
    if (major === 3 && minor !== undefined && minor >= MINOR_MIN) return { command, version };
  }
  run.signal.throwIfAborted();
  throw new NotAvailable(`there is no Python 3.${MINOR_MIN} or newer with venv and pip`);
}

/** Into a draft first: what was interrupted is not taken for whole. */
async function install(command: string, dir: string, run: ToolRun): Promise<void> {
  const draft = `${dir}.draft.${process.pid}`;
  try {
    await runTool(command, ['-m', 'venv', draft], run);
    const options = ['--quiet', '--disable-pip-version-check', '--no-input', '--only-binary', ':all:'];
    const pip = ['-m', 'pip', 'install', ...options, '--requirement', REQUIREMENTS];
    await runTool(join(draft, 'bin', 'python'), pip, run);
    renameSync(draft, dir);
  } catch (error) {
    run.signal.throwIfAborted();
    if (!(error instanceof ToolFailed)) throw error;
    const why = lastLines(error.message, 1);
    throw new NotAvailable(`the packages of test/deploy/requirements.txt cannot be installed: ${why}`);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}
