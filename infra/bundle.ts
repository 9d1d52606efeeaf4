import { cpSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';
import { compilePolicies } from '../lib/security/policy-check.ts';
import { COMPILED_FILE, readPolicies } from '../lib/security/policy-files.ts';

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/** The policy engine: 4 MB of wasm that only some functions load, hence a layer and not part of every bundle. */
const LAYER_PACKAGE = '@cedar-policy/cedar-wasm';
const LAYER_BUILD = 'nodejs';
/** Where functions find the policies. */
export const POLICY_DIR = '/opt/policy';

export interface Bundles {
  /** Folder with `index.js` by function name. */
  readonly functions: Readonly<Record<string, string>>;
  readonly layer: string;
}

/** Names of the folders of `functions/` that hold a handler. */
export function listFunctions(root: string = ROOT): string[] {
  return readdirSync(join(root, 'functions'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && existsSync(join(root, 'functions', entry.name, 'handler.ts')))
    .map((entry) => entry.name)
    .sort();
}

/** Bundles each function into `outDir/NAME/index.js` and the layer into `outDir/policy-layer`. */
export function bundleFunctions(outDir: string, root: string = ROOT): Bundles {
  const names = listFunctions(root);
  buildSync({
    entryPoints: names.map((name) => ({
      in: join(root, 'functions', name, 'handler.ts'),
      out: join(name, 'index'),
    })),
    outdir: outDir,
    bundle: true,
    format: 'cjs',
    platform: 'node',
    target: 'node24',
    minify: true,
    // Names of functions and classes are lost: errors say theirs themselves. Keeping them costs 40 KB and 5 ms.
    // The ES build of a package shakes; its CommonJS build would be bundled whole.
    mainFields: ['module', 'main'],
    // import() becomes require(): the local host runs bundles where only the latter is possible.
    supported: { 'dynamic-import': false },
    external: [`${LAYER_PACKAGE}/${LAYER_BUILD}`],
    alias: { '@aws-sdk/credential-provider-node': join(root, 'functions', 'credentials.ts') },
    loader: { '.cedar': 'text' },
    logLevel: 'warning',
    // A module that looks for files beside itself knows that a bundle has none: see POLICY_DIR.
    logOverride: { 'empty-import-meta': 'silent' },
    absWorkingDir: root,
  });
  return {
    functions: Object.fromEntries(names.map((name) => [name, join(outDir, name)])),
    layer: copyLayer(join(outDir, 'policy-layer'), root),
  };
}

/**
 * The layer is mounted as `/opt`. Lambda adds `/opt/nodejs/node_modules` to the search path, so the package keeps its
 * name; the policies are read from POLICY_DIR.
 */
function copyLayer(layerDir: string, root: string): string {
  const policies = join(layerDir, 'policy');
  cpSync(join(root, 'lib', 'security', 'policy'), policies, { recursive: true });
  const compiled = compilePolicies(readPolicies(policies).policies);
  writeFileSync(join(policies, COMPILED_FILE), JSON.stringify(compiled));
  const from = join(root, 'node_modules', LAYER_PACKAGE);
  const to = join(layerDir, 'nodejs', 'node_modules', LAYER_PACKAGE);
  mkdirSync(join(to, LAYER_BUILD), { recursive: true });
  for (const path of [
    'package.json',
    ...readdirSync(join(from, LAYER_BUILD)).map((f) => join(LAYER_BUILD, f)),
  ])
    if (/\.(js|json|wasm)$/.test(path)) cpSync(join(from, path), join(to, path));
  return layerDir;
}
