import { DIMENSIONS, type Vector } from '../schemas/common.ts';
import type { RunnerEvent } from './runner.ts';
import { keyOf, type Running, type Work } from './work.ts';

/** What runs on one resource, by key: each piece in its state, as orders and the runner's words change it. */
export class RunningWork {
  readonly #byKey = new Map<string, Running>();

  get byKey(): ReadonlyMap<string, Running> {
    return this.#byKey;
  }

  /** Sum of the demands of what runs. */
  demand(): Vector {
    const sum = { processing: 0, memory: 0, storage: 0, network: 0 };
    for (const { work, state } of this.#byKey.values()) {
      if (state === 'running') for (const each of DIMENSIONS) sum[each] += work.demand[each];
    }
    return sum;
  }

  counts(): { running: number; total: number } {
    let running = 0;
    for (const each of this.#byKey.values()) if (each.state === 'running') running += 1;
    return { running, total: this.#byKey.size };
  }

  isStopping(): boolean {
    return [...this.#byKey.values()].some(({ state }) => state === 'stopping');
  }

  begin(work: Work): void {
    this.#byKey.set(keyOf(work), { work, state: 'starting' });
  }

  /** The same work under a new group or epoch. */
  adopt(work: Work): void {
    const known = this.#byKey.get(keyOf(work));
    if (known !== undefined) this.#byKey.set(keyOf(work), { ...known, work });
  }

  stop(key: string): void {
    const known = this.#byKey.get(key);
    if (known !== undefined) this.#byKey.set(key, { work: known.work, state: 'stopping' });
  }

  /** Takes the runner's word on a piece it knows. What is to stop says nothing else any more. */
  hear(event: RunnerEvent): void {
    const known = this.#byKey.get(event.key);
    if (known === undefined) return;
    if (event.kind === 'stopped') this.#byKey.delete(event.key);
    else if (known.state !== 'stopping') this.#byKey.set(event.key, stateAfter(known.work, event));
  }
}

const stateAfter = (work: Work, event: Exclude<RunnerEvent, { kind: 'stopped' }>): Running =>
  event.kind === 'failed' ? { work, state: 'failed', reason: event.reason } : { work, state: 'running' };
