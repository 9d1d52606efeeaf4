import { createInterface } from 'node:readline';
import { WorkerOrder } from '../../../lib/agent/worker-protocol.ts';

/** A worker that does as its allocations' names say; it also writes what it hears to standard error. */
const say = (event: object): void => {
  process.stdout.write(`${JSON.stringify(event)}\n`);
};
let tries = 0;
/** Its line ends with the next start. */
let endless = false;
createInterface({ input: process.stdin })
  .on('line', (line) => {
    process.stderr.write(`${line}\n`);
    const order = WorkerOrder.parse(JSON.parse(line));
    if (order.op === 'stop' && order.key !== 'acme/stubborn') say({ event: 'stopped', key: order.key });
    if (order.op !== 'start') return;
    if (endless) process.stdout.write('\n');
    if (order.allocation === 'deadly') process.exit(9);
    tries += order.allocation === 'second-try' ? 1 : 0;
    if (order.allocation === 'second-try' && tries < 2)
      say({ event: 'failed', key: order.key, reason: 'not yet' });
    else say({ event: 'running', key: order.key });
    if (order.allocation === 'garbled') process.stdout.write('what?\n');
    if (order.allocation === 'endless') process.stdout.write('x'.repeat(1_000_000));
    endless = order.allocation === 'endless';
  })
  .on('close', () => process.exit(0));
