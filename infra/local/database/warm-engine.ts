import { Agent, request } from 'node:http';

/**
 * The engine's allocator hands pages back to the system as soon as nothing near them is in use, and a quiet engine then
 * pays hundreds of page faults in a large transaction. Connections that stay open keep its buffers, and with them their
 * neighbours, in use: the flip of 8 groups takes 5.2 instead of 6.5 ms (`npm run bench -- phases`).
 */
const CONNECTIONS = 64;
/** Makes the engine hold a buffer of this size for each, bytes. */
const REQUEST_BYTES = 4_000;

/** Opens the connections and leaves them open; returns how to close them. A refused one is no harm. */
export async function warmEngine(port: number): Promise<() => void> {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS, maxFreeSockets: CONNECTIONS });
  await Promise.all(Array.from({ length: CONNECTIONS }, () => touch(agent, port)));
  return () => agent.destroy();
}

function touch(agent: Agent, port: number): Promise<void> {
  const body = '{}'.padEnd(REQUEST_BYTES);
  return new Promise((resolve) => {
    const sent = request({ agent, host: '127.0.0.1', port, method: 'POST', path: '/' }, (answer) => {
      answer.resume().on('end', resolve);
    });
    sent.on('error', () => resolve());
    sent.end(body);
  });
}
