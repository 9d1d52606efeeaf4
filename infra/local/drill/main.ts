import { paintFor } from '../../../lib/cli/paint.ts';
import { understood } from '../../usage.ts';
import { asError, HostError } from '../errors.ts';
import { DrillError, TooBusy } from './drill-error.ts';
import { type DrillRun, lineOf } from './drill-run.ts';
import {
  API_SIZE,
  DRILL_SIZE,
  type DrillArguments,
  type DrillTrigger,
  readArguments,
  USAGE,
} from './options.ts';
import { progressOn } from './progress.ts';
import { render } from './render.ts';
import { runApiDrill } from './run-api-drill.ts';
import { runDrill } from './run-drill.ts';
import { runManyDrill } from './run-many-drill.ts';
import { runQuoteDrill } from './run-quote-drill.ts';

const EXIT_FAILED = 1;
const EXIT_INTERRUPTED = 130;
/** Of the line that tells it; the whole is on standard error. */
const ERROR_LENGTH_MAX = 500;
/** How much longer the leases of a second try are. */
const BUSY_FACTOR = 4;

/** Standard output is for the result; all else is said on standard error. */
function say(runs: readonly DrillRun[], { json }: DrillArguments): void {
  const { stdout, stderr } = process;
  const out = json ? stderr : stdout;
  const paint = paintFor(out.isTTY === true, process.env);
  for (const run of runs) out.write(render(run, paint));
  if (json) stdout.write(`${JSON.stringify({ runs: runs.map(lineOf) })}\n`);
}

/**
 * One run per trigger. Where nobody asked for a certain lease, a busy machine gets a second try with one that it can
 * keep, and so do the runs after it.
 */
async function rehearse(given: DrillArguments, signal: AbortSignal): Promise<readonly DrillRun[]> {
  const { json: _json, triggers, api, quoteOf, failing, ...size } = given;
  const options = { ...size, signal, progress: progressOn(process.stderr) };
  const run = (asked: { readonly trigger: DrillTrigger; readonly leaseMs: number }) =>
    api === undefined
      ? runDrill({ ...options, ...asked })
      : runApiDrill({ ...options, ...asked, api, tellLeft });
  if (failing !== undefined) return [await runManyDrill({ ...DRILL_SIZE, ...options, ...failing })];
  if (quoteOf !== undefined) return [await runQuoteDrill({ ...DRILL_SIZE, ...options, fail: quoteOf })];
  let leaseMs = given.leaseMs ?? (api === undefined ? DRILL_SIZE : API_SIZE).leaseMs;
  let mayLengthen = given.leaseMs === undefined;
  const runs: DrillRun[] = [];
  for (const trigger of triggers) {
    try {
      runs.push(await run({ trigger, leaseMs }));
    } catch (error) {
      if (!(error instanceof TooBusy) || !mayLengthen) throw error;
      mayLengthen = false;
      leaseMs *= BUSY_FACTOR;
      process.stderr.write(`${error.message}\nonce more, with leases of ${leaseMs} ms\n`);
      runs.push(await run({ trigger, leaseMs }));
    }
  }
  return runs;
}

function tellLeft(left: readonly string[]): void {
  process.stderr.write(`left behind:\n${left.map((what) => `  ${what}\n`).join('')}`);
}

async function drill(given: DrillArguments, signal: AbortSignal): Promise<number> {
  const runs = await rehearse(given, signal);
  say(runs, given);
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
  const given = understood(USAGE, (argv) => readArguments(argv, process.env));
  if (typeof given === 'number') return given;
  const signal = interruption();
  if (given.api !== undefined) {
    const text = '\ninterrupted: what was made is cleaned up; once more, and it stays as it is\n';
    signal.addEventListener('abort', () => process.stderr.write(text), { once: true });
  }
  try {
    return await drill(given, signal);
  } catch (error) {
    if (signal.aborted) return EXIT_INTERRUPTED;
    const { message, stack } = asError(error);
    const known = error instanceof DrillError || error instanceof HostError;
    process.stderr.write(`\n${known ? message : (stack ?? message)}\n`);
    // Whoever reads the line finds one, also of a drill that got stuck.
    if (given.json) {
      process.stdout.write(`${JSON.stringify({ runs: [], error: message.slice(0, ERROR_LENGTH_MAX) })}\n`);
    }
    return EXIT_FAILED;
  }
}

process.exit(await main());
