import path from 'node:path';
import { createInterface } from 'node:readline';
import { type WorkerEvent, WorkerOrder } from '../../../lib/agent/worker-protocol.ts';
import { CounterFile } from './counter-file.ts';

/**
 * Hosts all counters of one resource in one process; see lib/agent/worker-protocol.ts. Environment: COUNTER_DIR, and
 * COUNTER_TICK_MS (500). The counters' ticks are spread over the tick, so that thousands do not write at once.
 */
interface Counter {
  readonly file: CounterFile;
  readonly resource: string;
  group: string;
  epoch: number;
  dueMs: number;
}

const STEP_MS = 25;
const tickMs = Number(process.env['COUNTER_TICK_MS'] ?? 500);
const folder = process.env['COUNTER_DIR'] ?? '';
const counters = new Map<string, Counter>();
let leaseUntil = Number.POSITIVE_INFINITY;

const say = (event: WorkerEvent): void => {
  process.stdout.write(`${JSON.stringify(event)}\n`);
};

function count(counter: Counter, nowMs: number): void {
  const { resource, group, epoch } = counter;
  counter.file.append({ resource, group, epoch, at: nowMs });
  counter.dueMs += tickMs;
  // After a pause of the process: on from now, not a burst of what was missed.
  if (counter.dueMs < nowMs) counter.dueMs = nowMs + tickMs;
}

function start(order: Extract<WorkerOrder, { op: 'start' }>): void {
  const { key, tenant, allocation, group, epoch, resource } = order;
  const known = counters.get(key);
  if (known === undefined) {
    const file = new CounterFile(path.join(folder, tenant, `${allocation}.jsonl`));
    const nowMs = Date.now();
    const counter = { file, resource, group, epoch, dueMs: nowMs };
    counters.set(key, counter);
    // The first line is written before `running` is said: it is what says that it runs.
    count(counter, nowMs);
    counter.dueMs = nowMs + tickMs * (0.5 + Math.random() / 2);
  }
  say({ event: 'running', key });
}

function stop(key: string): void {
  counters.get(key)?.file.close();
  counters.delete(key);
  say({ event: 'stopped', key });
}

function obey(order: WorkerOrder): void {
  if (order.op === 'lease') leaseUntil = order.until;
  else if (order.op === 'stop') stop(order.key);
  else if (order.op === 'start') start(order);
  else {
    const counter = counters.get(order.key);
    if (counter !== undefined) Object.assign(counter, { group: order.group, epoch: order.epoch });
  }
}

function hear(line: string): void {
  const order = WorkerOrder.parse(JSON.parse(line));
  try {
    obey(order);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    if (order.op !== 'lease') say({ event: 'failed', key: order.key, reason });
  }
}

setInterval(() => {
  const nowMs = Date.now();
  // The agent is frozen or the host was: another host may count already.
  if (nowMs >= leaseUntil) process.exit(0);
  for (const [key, counter] of counters) {
    if (counter.dueMs > nowMs) continue;
    try {
      count(counter, nowMs);
    } catch (error) {
      counters.delete(key);
      say({ event: 'failed', key, reason: error instanceof Error ? error.message : String(error) });
    }
  }
}, STEP_MS);

createInterface({ input: process.stdin })
  .on('line', hear)
  // The agent has died.
  .on('close', () => process.exit(0));
