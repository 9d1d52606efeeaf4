import type { LeaseVerdict } from './lease.ts';
import type { Desired, Running, Work } from './work.ts';

export interface ReconcileInput {
  /** undefined: not known since the lease was last lost; nothing is started and nothing stopped on its account. */
  readonly desired: Desired | undefined;
  readonly running: ReadonlyMap<string, Running>;
  readonly verdict: LeaseVerdict;
  /** Monotonic ms. */
  readonly nowMs: number;
}

export interface ReconcilePlan {
  readonly start: readonly Work[];
  /** Runs on; its group or the group's epoch has changed. */
  readonly adopt: readonly Work[];
  readonly stop: readonly string[];
  /** Stop at once and by force whatever is left. */
  readonly kill: boolean;
  /** Wanted, but not started yet: it is not due, or its last copy here is still stopping. */
  readonly waiting: number;
  /** Monotonic ms of the next start that waits for its time. */
  readonly nextDueMs: number | undefined;
}

/** Decides what to start and stop so that what runs becomes what shall run. Pure; applying it twice changes nothing. */
export function reconcile(input: ReconcileInput): ReconcilePlan {
  if (input.verdict !== 'run') return stopEverything(input);
  const { desired, running, nowMs } = input;
  const start: Work[] = [];
  const stop: string[] = [];
  const adopt: Work[] = [];
  let waiting = 0;
  let nextDueMs: number | undefined;
  for (const [key, { work, dueMs }] of desired?.items ?? []) {
    const here = running.get(key);
    if (here === undefined && dueMs <= nowMs) start.push(work);
    else if (here === undefined) {
      waiting += 1;
      nextDueMs = Math.min(nextDueMs ?? dueMs, dueMs);
    } else if (here.state === 'stopping') waiting += 1;
    else if (!sameDevices(here.work, work)) {
      stop.push(key);
      waiting += 1;
    } else if (here.work.group !== work.group || here.work.groupEpoch !== work.groupEpoch) adopt.push(work);
  }
  for (const [key, { state }] of running) {
    if (desired?.complete && !desired.items.has(key) && state !== 'stopping') stop.push(key);
  }
  return { start, adopt, stop, kill: false, waiting, nextDueMs };
}

/** Work that shall run on other devices of this host is stopped first, and started again once it has ended. */
const sameDevices = (a: Work, b: Work): boolean =>
  a.devices?.milli === b.devices?.milli && a.devices?.indexes.join() === b.devices?.indexes.join();

function stopEverything({ running, verdict }: ReconcileInput): ReconcilePlan {
  const stop: string[] = [];
  for (const [key, { state }] of running) if (state !== 'stopping') stop.push(key);
  const kill = verdict === 'kill' && running.size > 0;
  return { start: [], adopt: [], stop, kill, waiting: 0, nextDueMs: undefined };
}
