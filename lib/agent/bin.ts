import { randomUUID } from 'node:crypto';
import type { Agent } from './agent.ts';
import { main } from './main.ts';

// The only place of the agent that names the real clock and real chance.
const clock = { now: Date.now, monotonicMs: () => Number(process.hrtime.bigint()) / 1e6 };
const chance = { uniform: Math.random, id: randomUUID };

const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
let running: Agent | undefined;
process.on('exit', () => running?.abandon());

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
