import { parseArgs } from 'node:util';
import { type Figure, printFigures } from './figures.ts';
import { MissingDataError } from './openb/trace.ts';

interface BenchmarkOptions {
  /** Folder of data that is not shipped, for benchmarks that measure on it. */
  readonly data?: string | undefined;
  /** Which of the workloads in that folder. */
  readonly workload?: string | undefined;
}

type Benchmark = (progress: (text: string) => void, options: BenchmarkOptions) => Promise<readonly Figure[]>;

/** Every benchmark by its name; each is loaded only when it is asked for. */
const BENCHMARKS: Readonly<Record<string, () => Promise<Benchmark>>> = {
  allocate: async () => (await import('./allocate.ts')).allocate,
  audit: async () => (await import('./audit/audit.ts')).audit,
  backup: async () => (await import('./backup.ts')).backup,
  balance: async () => (await import('./balance.ts')).balance,
  coldstart: async () => (await import('./coldstart.ts')).coldstart,
  cost: async () => (await import('./cost/cost.ts')).cost,
  decision: async () => (await import('./decision.ts')).decision,
  detect: async () => (await import('./detect/detect.ts')).detect,
  distribute: async () => (await import('./distribute.ts')).distribute,
  'failover-scale': async () => (await import('./failover-scale.ts')).failoverScale,
  'labscape-failover': async () => (await import('./labscape-failover.ts')).labscapeFailover,
  openb: async () => (await import('./openb/openb.ts')).openb,
  phases: async () => (await import('./phases-bench.ts')).phases,
  rebalance: async () => (await import('./rebalance/rebalance.ts')).rebalance,
  'rebalance-step': async () => (await import('./rebalance/rebalance-step.ts')).rebalanceStep,
  saturation: async () => (await import('./saturation/saturation.ts')).saturation,
  streams: async () => (await import('./streams.ts')).streams,
};

const { values, positionals } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    data: { type: 'string' },
    workload: { type: 'string' },
  },
  allowPositionals: true,
});
const [name = ''] = positionals;
const load = BENCHMARKS[name];
if (load === undefined) {
  process.stderr.write(
    `Usage: npm run bench -- NAME [--json] [--data DIR [--workload NAME]], NAME one of ${Object.keys(BENCHMARKS).join(', ')}\n`,
  );
  process.exitCode = 2;
} else {
  const progress = (text: string): void => {
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
  };
  const { json, data, workload } = values;
  try {
    const figures = await (await load())(progress, { data, workload });
    progress('');
    printFigures(figures, json);
  } catch (error) {
    if (!(error instanceof MissingDataError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 2;
  }
}
