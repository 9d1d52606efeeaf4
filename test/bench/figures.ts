import { cpus, totalmem } from 'node:os';

/** One figure of a benchmark, a line of `--json`. Times in ms unless `unit` says otherwise. */
export interface Figure {
  readonly name: string;
  readonly unit: string;
  readonly n: number;
  readonly p50: number;
  readonly p99: number;
  readonly budget?: number;
  /** Share of the operations within budget, as DESIGN §2 judges them. */
  readonly withinShare?: number;
  readonly [extra: string]: unknown;
}

const rounded = (value: number): number => Math.round(value * 1000) / 1000;

/** Nearest-rank percentile; NaN for an empty sample. */
export const percentile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;

/**
 * A figure from its samples. With a floor (the same bare requests in the same run) the tail is judged against
 * budget + (p99 − p50 of the floor): a bare read already has a tail of several ms on a small shared machine.
 */
export const figureOf = (
  name: string,
  samples: readonly number[],
  options: {
    readonly unit?: string;
    readonly budget?: number;
    readonly floor?: readonly number[];
    readonly extra?: object;
  } = {},
): Figure => {
  const sorted = [...samples].sort((a, b) => a - b);
  const floor = [...(options.floor ?? [])].sort((a, b) => a - b);
  const tail = floor.length === 0 ? 0 : percentile(floor, 0.99) - percentile(floor, 0.5);
  const { budget } = options;
  return {
    name,
    unit: options.unit ?? 'ms',
    n: samples.length,
    p50: rounded(percentile(sorted, 0.5)),
    p99: rounded(percentile(sorted, 0.99)),
    ...(budget === undefined
      ? {}
      : {
          budget,
          p99Allowed: rounded(budget + tail),
          withinShare: rounded(samples.filter((ms) => ms <= budget + tail).length / samples.length),
          held: percentile(sorted, 0.5) <= budget && percentile(sorted, 0.99) <= budget + tail,
        }),
    ...options.extra,
  };
};

export const machine = (): string => {
  const processors = cpus();
  return `${processors.length} × ${processors[0]?.model.trim() ?? 'unknown'}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}`;
};

/** JSON lines for machines on stdout, or a table for people. */
export const printFigures = (figures: readonly Figure[], json: boolean): void => {
  if (json) {
    for (const figure of figures) process.stdout.write(`${JSON.stringify(figure)}\n`);
    return;
  }
  const rows = figures.map(({ name, unit, n, p50, p99, budget, withinShare, held, p99Allowed, ...extra }) => [
    name,
    `${p50} ${unit}`,
    `${p99} ${unit}`,
    budget === undefined ? '' : `${budget} / ${String(p99Allowed)}`,
    withinShare === undefined ? '' : `${(withinShare * 100).toFixed(1)} %`,
    held === undefined ? '' : held === true ? 'held' : 'NOT HELD',
    String(n),
    Object.entries(extra)
      .map(([key, value]) => `${key}=${typeof value === 'object' ? JSON.stringify(value) : String(value)}`)
      .join(' '),
  ]);
  const head = ['figure', 'p50', 'p99', 'budget / p99 allowed', 'within', '', 'n', ''];
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  for (const row of [head, ...rows]) {
    process.stdout.write(
      `${row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd()}\n`,
    );
  }
  process.stdout.write(`machine: ${machine()}\n`);
};
