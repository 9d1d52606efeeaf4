import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '../client/client.ts';
import { jitteredMs, RETRY_NEVER } from '../client/retry.ts';
import type { Chance } from '../clock.ts';
import { type Log, reasonOf } from './log.ts';
import { acceptReport, disputed, EMPTY_LEDGER, nextReport, type ReportView } from './report-ledger.ts';

export interface ReporterDeps {
  readonly resource: string;
  readonly client: Client;
  readonly chance: Chance;
  readonly log: Log;
  /** What is so now. */
  readonly view: () => ReportView;
  /** The control plane says that groups this host runs have moved on. */
  readonly onDisputed: () => void;
}

/** Collects the changes of a moment into one report: starts come in bursts. */
const COALESCE_MS = 20;
const BACKOFF = { baseMs: 100, capMs: 5_000 };
const TIMEOUT_MS = 10_000;
/** An agent that ends in order says so, but does not hang on a control plane that is away. */
const LAST_REPORT_MS_MAX = 1_000;

/** Tells the control plane what one resource runs, one report at a time, until all is told and accepted. */
export class Reporter {
  readonly #deps: ReporterDeps;
  #ledger = EMPTY_LEDGER;
  #busy = false;
  #closed = false;

  constructor(deps: ReporterDeps) {
    this.#deps = deps;
  }

  /** Something may have changed. */
  poke(): void {
    if (this.#busy || this.#closed || this.#next() === undefined) return;
    this.#busy = true;
    setTimeout(() => {
      void this.#run().finally(() => {
        this.#busy = false;
      });
    }, COALESCE_MS);
  }

  /** Tells the rest, if it can be told soon. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.race([this.#run(), sleep(LAST_REPORT_MS_MAX)]);
  }

  #next() {
    return nextReport(this.#ledger, this.#deps.view());
  }

  /** Each try is made anew from the present; an old report is never repeated. */
  async #run(): Promise<void> {
    const { client, chance, log, resource } = this.#deps;
    let failures = 0;
    for (let report = this.#next(); report !== undefined; report = this.#next()) {
      try {
        const options = { retry: RETRY_NEVER, timeoutMs: TIMEOUT_MS };
        const answer = await client.call('report', { params: { resource }, body: report }, options);
        failures = 0;
        this.#ledger = acceptReport(this.#ledger, report);
        if (disputed(report, answer).length > 0) this.#deps.onDisputed();
      } catch (error) {
        log('warn', 'report not accepted', { resource, reason: reasonOf(error) });
        if (this.#closed) return;
        await sleep(jitteredMs(BACKOFF, failures, chance));
        failures += 1;
      }
    }
  }
}
