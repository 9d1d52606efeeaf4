import { randomUUID } from 'node:crypto';
import type { Agent } from './agent.ts';
import { main } from './main.ts';

// The only place of the agent that names the real clock and real chance.
const clock = { now: Date.now, monotonicMs: () => Number(process.hrtime.bigint()) / 1e6 };
const chance = { uniform: Math.random, id: randomUUID };

/** What asks twice within this time may be one person and a shell that passes it on, ms. */
const AGAIN_MS = 1_000;

const stop = new AbortController();
let running: Agent | undefined;
process.on('exit', () => running?.abandon());
let askedAtMs: number | undefined;
const ask = () => {
  askedAtMs ??= clock.monotonicMs();
  stop.abort();
  // Left to the system it would end the agent alone, and its work would run on without a lease.
  if (clock.monotonicMs() - askedAtMs > AGAIN_MS) process.exit(1);
};
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, ask);
// Who reads the log may go, and a disk may be full: the work goes on.
process.stderr.on('error', () => undefined);

const code = await main(
  process.argv.slice(2),
  {
    out: (text) => process.stdout.write(text),
    err: (text) => process.stderr.write(text),
    environment: process.env,
    stop: stop.signal,
    started: (agent) => {
      running = agent;
    },
  },
  clock,
  chance,
);
// Nothing that still waits, such as an order being carried out, may keep a stopped agent alive.
process.exit(code);
