import { paintFor } from '../../../lib/cli/paint.ts';
import { asError, HostError } from '../errors.ts';
import { DrillError } from './drill-error.ts';
import { type DrillRun, lineOf } from './drill-run.ts';
import { type DrillArguments, readArguments, USAGE, UsageError } from './options.ts';
import { progressOn } from './progress.ts';
import { render } from './render.ts';
import { runDrill } from './run-drill.ts';

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;
const EXIT_INTERRUPTED = 130;

/** Standard output is for the result; all else is said on standard error. */
function say(runs: readonly DrillRun[], { json }: DrillArguments): void {
  const { stdout, stderr } = process;
  const out = json ? stderr : stdout;
  const paint = paintFor(out.isTTY === true, process.env);
  for (const run of runs) out.write(render(run, paint));
  if (json) stdout.write(`${JSON.stringify({ runs: runs.map(lineOf) })}\n`);
}

async function drill(arguments_: DrillArguments, signal: AbortSignal): Promise<number> {
  const { json: _json, help: _help, ...size } = arguments_;
  const run = await runDrill({ ...size, signal, progress: progressOn(process.stderr) });
  const runs = [run];
  say(runs, arguments_);
  return runs.every(({ faults }) => faults.length === 0) ? 0 : EXIT_FAILED;
}

/** The first request to stop ends everything in order; a second one does not wait for that. */
function interruption(): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(name, () => {
      controller.abort();
      process.once(name, () => process.exit(EXIT_INTERRUPTED));
    });
  }
  return controller.signal;
}

async function main(): Promise<number> {
  const signal = interruption();
  try {
    const arguments_ = readArguments(process.argv.slice(2));
    if (!arguments_.help) return await drill(arguments_, signal);
    process.stdout.write(`${USAGE}\n`);
    return 0;
  } catch (error) {
    if (signal.aborted) return EXIT_INTERRUPTED;
    if (error instanceof UsageError) {
      process.stderr.write(`${error.message}\n\n${USAGE}\n`);
      return EXIT_USAGE;
    }
    const known = error instanceof DrillError || error instanceof HostError;
    process.stderr.write(`\n${known ? error.message : (asError(error).stack ?? asError(error).message)}\n`);
    return EXIT_FAILED;
  }
}

process.exit(await main());
