import { parseOptions, UsageError, understood, wholeNumber } from '../../infra/usage.ts';
import { type Figure, printFigures } from './figures.ts';
import { MissingDataError } from './openb/trace.ts';

interface BenchmarkOptions {
  /** Folder of data that is not shipped, for benchmarks that measure on it. */
  readonly data?: string | undefined;
  /** Which of the workloads in that folder. */
  readonly workload?: string | undefined;
  /** How much to measure on, where a benchmark lets that be chosen; its own default otherwise. */
  readonly size?: number | undefined;
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

/** Between two lines where nobody watches, ms. */
const QUIET_MS = 10_000;

/** On a terminal one line that changes, else a line now and then. */
const progressTo = (stream: NodeJS.WriteStream): ((text: string) => void) => {
  let saidMs = 0;
  return (text) => {
    if (stream.isTTY) stream.write(`\r\x1b[K${text}`);
    else if (text !== '' && performance.now() - saidMs > QUIET_MS) {
      stream.write(`${text}\n`);
      saidMs = performance.now();
    }
  };
};

const USAGE = `npm run bench -- NAME [--json] [--data DIR [--workload NAME]] [--size N]

NAME is one of ${Object.keys(BENCHMARKS).join(', ')}.

  --json            one line of JSON per figure
  --data DIR        the folder of data that is not shipped, for openb; --workload NAME: which of it
  --size N          how much to measure on, for backup: its allocations`;

const asked = understood(USAGE, (argv) => {
  const text = { type: 'string' } as const;
  const options = { json: { type: 'boolean' }, data: text, workload: text, size: text } as const;
  const { values, positionals } = parseOptions({ args: [...argv], options, allowPositionals: true });
  const [name, more] = positionals;
  if (name === undefined || more !== undefined) throw new UsageError('name one benchmark');
  const load = Object.hasOwn(BENCHMARKS, name) ? BENCHMARKS[name] : undefined;
  if (load === undefined) throw new UsageError(`there is no benchmark ${name}`);
  const { json = false, data, workload } = values;
  const size = values.size === undefined ? undefined : wholeNumber('--size', values.size, 1);
  return { load, json, options: { data, workload, size } };
});

if (typeof asked === 'number') process.exitCode = asked;
else {
  const progress = progressTo(process.stderr);
  try {
    const figures = await (await asked.load())(progress, asked.options);
    progress('');
    printFigures(figures, asked.json);
  } catch (error) {
    if (!(error instanceof MissingDataError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 2;
  }
}
