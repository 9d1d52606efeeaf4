import { execFile } from 'node:child_process';
import { statSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { startHost } from '../../infra/local/host.ts';
import { type Figure, figureOf } from './figures.ts';

const RUNS = 7;
/** Bounds of the specification's own functions: the ones on the path of an allocation and of a recovery. */
const BOUNDED = new Set(['allocations', 'recovery']);
const BUNDLE_KB_MAX = 700;
const IMPORT_MS_MAX = 120;

const run = promisify(execFile);

/** Time to load a bundle in a fresh process, the process's own start left out. */
const importMs = async (file: string, env: NodeJS.ProcessEnv): Promise<number> => {
  const script =
    'const t=performance.now();require(process.argv[1]);console.error("");process.stdout.write(String(performance.now()-t));process.exit(0)';
  const { stdout } = await run(process.execPath, ['-e', script, file], { env });
  return Number(/[\d.]+$/.exec(stdout)?.[0]);
};

/** Bundle size and import time per function, as the template has them. */
export const coldstart = async (progress: (text: string) => void): Promise<readonly Figure[]> => {
  const host = await startHost({ port: 0, logLevel: 'silent', schedules: false });
  try {
    const figures: Figure[] = [];
    for (const fn of host.template.functions) {
      const name = fn.name.split('-').at(-1) ?? fn.name;
      progress(`coldstart: ${name}`);
      const file = path.join(fn.codeDir, 'index.js');
      const env = { ...process.env, ...fn.environment, ...resolveLayers(fn.layerDirs), AWS_REGION: 'local' };
      const samples: number[] = [];
      for (let index = 0; index < RUNS; index += 1) samples.push(await importMs(file, env));
      const bundleKb = Math.round(statSync(file).size / 1024);
      const bounded = BOUNDED.has(name);
      figures.push(
        figureOf(`coldstart ${name}`, samples, {
          ...(bounded ? { budget: IMPORT_MS_MAX } : {}),
          extra: {
            bundleKb,
            ...(bounded ? { bundleKbBudget: BUNDLE_KB_MAX, bundleHeld: bundleKb < BUNDLE_KB_MAX } : {}),
          },
        }),
      );
    }
    return figures;
  } finally {
    await host.stop();
  }
};

/** Where the layer is unpacked on Lambda, as a module path here. */
const resolveLayers = (dirs: readonly string[]): NodeJS.ProcessEnv => {
  const [dir] = dirs;
  return dir === undefined
    ? {}
    : {
        NODE_PATH: dirs.map((d) => path.join(d, 'nodejs', 'node_modules')).join(path.delimiter),
        POLICY_DIR: path.join(dir, 'policy'),
      };
};
