import { randomUUID } from 'node:crypto';
import { createInterface } from 'node:readline/promises';
import { main } from './main.ts';

// The only place of the command line that names the real clock and real chance.
const clock = { now: Date.now, monotonicMs: () => Number(process.hrtime.bigint()) / 1e6 };
const chance = { uniform: Math.random, id: randomUUID };

/** Standard input is opened for the question only: else it would keep the process. */
async function ask(question: string): Promise<string> {
  const lines = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return await lines.question(question, { signal: interrupted.signal });
  } finally {
    lines.close();
  }
}

const interrupted = new AbortController();
process.once('SIGINT', () => interrupted.abort());
// A reader such as `head` may close the pipe before everything is written: that is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});

process.exitCode = await main(
  process.argv.slice(2),
  {
    out: (text) => process.stdout.write(text),
    err: (text) => process.stderr.write(text),
    environment: process.env,
    outIsTerminal: process.stdout.isTTY ?? false,
    errIsTerminal: process.stderr.isTTY ?? false,
    interrupted: interrupted.signal,
    ...(process.stdout.isTTY && { outRows: () => process.stdout.rows }),
    ...(process.stdin.isTTY && process.stdout.isTTY && { ask }),
  },
  clock,
  chance,
);
