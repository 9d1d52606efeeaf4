import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { RunnerDeps } from '../../../lib/agent/process-runner.ts';
import type { Runner, RunnerEvent } from '../../../lib/agent/runner.ts';

export const clock = { now: () => Date.now(), monotonicMs: () => performance.now() };
export const chance = { uniform: () => 0.1, id: () => 'id' };

/** A folder, a runner, and what it says; everything is ended and removed at the end of a test. */
export class RunnerBench {
  readonly folder = mkdtempSync(path.join(tmpdir(), 'labscape-agent-'));
  readonly events: RunnerEvent[] = [];
  readonly #runners: Runner[] = [];

  deps(): RunnerDeps {
    const environment = { PATH: process.env['PATH'], LABSCAPE_TOKEN: 'secret' };
    const listen = (event: RunnerEvent) => {
      this.events.push(event);
    };
    return { resource: 'r1', clock, chance, environment, listen };
  }

  use<R extends Runner>(runner: R): R {
    this.#runners.push(runner);
    return runner;
  }

  count(kind: RunnerEvent['kind']): number {
    return this.events.filter((event) => event.kind === kind).length;
  }

  async end(): Promise<void> {
    for (const runner of this.#runners) runner.killAll();
    await new Promise((resolve) => setTimeout(resolve, 50));
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export async function until(what: string, holds: () => boolean, withinMs = 8000): Promise<void> {
  const deadlineMs = performance.now() + withinMs;
  while (!holds()) {
    if (performance.now() > deadlineMs) throw new Error(`not within ${withinMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** A process that has ended but was not collected yet by its parent is dead, though it still takes signals. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return process.platform !== 'linux';
  }
}
