import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import * as z from 'zod';
import { ROOT } from '../../bundle.ts';
import { HostError } from '../errors.ts';
import { pruneAssemblies } from './assembly-use.ts';

/** What the assembly is made from. The local host itself is no part of it. */
const INPUTS = ['infra', 'functions', 'lib', 'cdk.json', 'package-lock.json'];
const NOT_INPUT = join('infra', 'local');

/**
 * The folder with the synthesized assembly of stage `local`. It is named after its inputs, so it is made once per
 * state of the sources, and a host that runs is not disturbed by another that starts.
 */
export async function synthesise(root: string = ROOT): Promise<string> {
  const cache = join(root, '.labscape', 'assemblies');
  const dir = join(cache, fingerprint(root));
  if (existsSync(join(dir, 'manifest.json'))) return dir;
  mkdirSync(cache, { recursive: true });
  const draft = `${dir}.${process.pid}`;
  await runApp(draft, { stage: 'local' }, root);
  pruneAssemblies(cache);
  try {
    renameSync(draft, dir);
  } catch (error) {
    // Another host made the same one meanwhile.
    if (!existsSync(join(dir, 'manifest.json'))) throw error;
    rmSync(draft, { recursive: true, force: true });
  }
  return dir;
}

/**
 * Synthesizes into `outDir`, with `given` on top of the context in cdk.json. In a process of its own: CDK and esbuild
 * take 200 MB, which the host has no use for later.
 */
export function runApp(
  outDir: string,
  given: Readonly<Record<string, unknown>>,
  root: string = ROOT,
): Promise<void> {
  const { context } = z
    .object({ context: z.record(z.string(), z.unknown()) })
    .parse(JSON.parse(readFileSync(join(root, 'cdk.json'), 'utf8')));
  const child = spawn(process.execPath, ['infra/app.ts'], {
    cwd: root,
    env: {
      ...process.env,
      // Jest's flags are not for this process.
      NODE_OPTIONS: '',
      CDK_OUTDIR: outDir,
      CDK_CONTEXT_JSON: JSON.stringify({ ...context, ...given }),
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => {
      if (code === 0) return resolve();
      rmSync(outDir, { recursive: true, force: true });
      reject(new HostError(`infra/app.ts could not be synthesized:\n${said.trim()}`));
    });
  });
}

function fingerprint(root: string): string {
  const hash = createHash('sha256');
  for (const file of INPUTS.flatMap((input) => filesOf(join(root, input))).sort())
    hash.update(relative(root, file)).update('\0').update(readFileSync(file)).update('\0');
  return hash.digest('hex').slice(0, 16);

  function filesOf(path: string): string[] {
    if (!existsSync(path) || relative(root, path) === NOT_INPUT) return [];
    if (!statSync(path).isDirectory()) return [path];
    return readdirSync(path).flatMap((name) => filesOf(join(path, name)));
  }
}
