import { cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../../infra/bundle.ts';
import { runApp } from '../../infra/local/template/synthesise.ts';
import { VERSION } from '../../lib/version.ts';
import { LABSCAPE } from './site.ts';
import { ACCOUNT, type Workspace } from './workspace.ts';

/** A name that nobody can own: the deployed stage gets the issuer's keys inline and never asks it. */
export const ISSUER = 'https://issuer.example';
export const AUDIENCE = 'labscape';

/** What the changed code says of itself. */
export const CHANGED_VERSION = `${VERSION}-changed`;

const SOURCES = ['infra', 'functions', 'lib', 'cdk.json', 'package.json'];

export interface StageOptions {
  readonly logLevel: 'INFO' | 'WARN';
}

/** The cloud assembly of stage `test`, made by the app as `cdk deploy` would; its folder. */
export async function synthesiseTest(
  workspace: Workspace,
  name: string,
  options: StageOptions,
  root: string = ROOT,
): Promise<string> {
  const folder = workspace.file(name);
  const recoveryAlarms = { labscapes: [LABSCAPE], accounts: [ACCOUNT] };
  const stage = { issuer: ISSUER, audience: AUDIENCE, logLevel: options.logLevel, recoveryAlarms };
  await runApp(folder, { stage: 'test', stages: { test: stage } }, root);
  return folder;
}

/** A copy of the sources whose code has changed: it says another version. */
export function changedSources(workspace: Workspace): string {
  const root = workspace.file('changed');
  for (const source of SOURCES) cpSync(join(ROOT, source), join(root, source), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(root, 'node_modules'));
  const file = join(root, 'lib', 'version.ts');
  const changed = readFileSync(file, 'utf8').replace(`'${VERSION}'`, `'${CHANGED_VERSION}'`);
  if (!changed.includes(CHANGED_VERSION))
    throw new Error('lib/version.ts does not say the version as expected');
  writeFileSync(file, changed);
  return root;
}
