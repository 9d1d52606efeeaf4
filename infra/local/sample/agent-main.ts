import { randomUUID } from 'node:crypto';
import type { Agent } from '../../../lib/agent/agent.ts';
import { main } from '../../../lib/agent/main.ts';
import type { Restore } from '../../../lib/agent/orders.ts';
import { type AskMessage, ReplyMessage } from './agent-messages.ts';

/** One agent of the sample fleet: the real agent, which asks its supervisor to carry out restore orders. */
const clock = { now: Date.now, monotonicMs: () => performance.now() };
const chance = { uniform: Math.random, id: randomUUID };

const asked = new Map<number, (restored: ReplyMessage['restored']) => void>();
const restore: Restore = ({ resource, recovery }) =>
  new Promise((resolve) => {
    const ask: AskMessage = { ask: asked.size + 1, resource, recovery };
    asked.set(ask.ask, resolve);
    process.send?.(ask);
  });
process.on('message', (message) => {
  const reply = ReplyMessage.safeParse(message);
  if (reply.success) asked.get(reply.data.reply)?.(reply.data.restored);
});

const stop = new AbortController();
for (const event of ['SIGINT', 'SIGTERM', 'disconnect']) process.once(event, () => stop.abort());
let running: Agent | undefined;
process.on('exit', () => running?.abandon());

const code = await main(
  process.argv.slice(2),
  {
    out: (text) => process.stdout.write(text),
    err: (text) => process.stderr.write(text),
    environment: process.env,
    stop: stop.signal,
    restore,
    started: (agent) => {
      running = agent;
    },
  },
  clock,
  chance,
);
process.exit(code);
