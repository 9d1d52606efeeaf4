import { parseArgs } from 'node:util';
import { type Figure, printFigures } from './figures.ts';

/** Every benchmark by its name; each is loaded only when it is asked for. */
const BENCHMARKS: Readonly<
  Record<string, () => Promise<(progress: (text: string) => void) => Promise<readonly Figure[]>>>
> = {
  allocate: async () => (await import('./allocate.ts')).allocate,
  coldstart: async () => (await import('./coldstart.ts')).coldstart,
  'failover-scale': async () => (await import('./failover-scale.ts')).failoverScale,
  phases: async () => (await import('./phases-bench.ts')).phases,
};

const { values, positionals } = parseArgs({
  options: { json: { type: 'boolean', default: false } },
  allowPositionals: true,
});
const [name = ''] = positionals;
const load = BENCHMARKS[name];
if (load === undefined) {
  process.stderr.write(
    `Usage: npm run bench -- NAME [--json], NAME one of ${Object.keys(BENCHMARKS).join(', ')}\n`,
  );
  process.exitCode = 2;
} else {
  const progress = (text: string): void => {
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
  };
  const figures = await (await load())(progress);
  progress('');
  printFigures(figures, values.json);
}
